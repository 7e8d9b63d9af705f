import { Type } from 'typebox'
import { Value } from 'typebox/value'

/** The status of an S3 response. One to a HEAD request has no body, so that the library knows no more of it. */
const Answered = Type.Object({
  message: Type.Literal('UnknownError'),
  $metadata: Type.Object({ httpStatusCode: Type.Integer() }),
})

/** Returns why a server could not be used, in one line and without a full stop: its own words, where it said any. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return reasonOf(error.errors[0])
  if (!(error instanceof Error)) return 'unknown'
  if (Value.Check(Answered, error)) return `it answered with the status ${error.$metadata.httpStatusCode}`
  if (error.cause instanceof Error) return reasonOf(error.cause)
  return (error.message || error.name).replace(/\.?\s*(\n.*)?$/s, '')
}

/** Waits for work with a server of the environment. If it fails, the error names the server, its address and the reason. */
export async function reach<T>(server: string, url: string, work: Promise<T>): Promise<T> {
  return work.catch((cause) => {
    throw new Error(`${server} at ${new URL(url).host || 'localhost'} cannot be used: ${reasonOf(cause)}.`, { cause })
  })
}
