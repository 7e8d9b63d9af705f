/** Returns why a server could not be used, in one line: its own words, without our stack. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return reasonOf(error.errors[0])
  if (!(error instanceof Error)) return 'unknown'
  if (error.cause instanceof Error) return reasonOf(error.cause)
  return (error.message || error.name).split('\n')[0] ?? ''
}

/** Waits for work with a server of the environment. If it fails, the error names the server, its address and the reason. */
export async function reach<T>(server: string, url: string, work: Promise<T>): Promise<T> {
  return work.catch((cause) => {
    throw new Error(`${server} at ${new URL(url).host} cannot be used: ${reasonOf(cause)}.`, { cause })
  })
}
