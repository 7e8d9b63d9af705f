/** A fault that no retry mends. Its message is shown to the therapist: plain words, nothing internal. */
export class PermanentError extends Error {
  override name = 'PermanentError'
}

/** Not now: the job comes back after `delayMs`, and no try is used up. For a job that somebody else still works on. */
export class PostponedError extends Error {
  override name = 'PostponedError'
  readonly delayMs: number
  constructor(delayMs: number) {
    super('The job was postponed')
    this.delayMs = delayMs
  }
}

/** The part of a pino logger that jobs need. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  child(fields: object): Log
}

/**
 * What may be logged of an error: its kind and where it happened. Not its message, which can hold a URL or a path.
 */
export function describeError(error: unknown): { error: string; code?: unknown; at?: string[] } {
  if (!(error instanceof Error)) return { error: typeof error }
  const frames = (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at '))
  const coded = [error, error.cause].find((each) => each instanceof Error && 'code' in each)
  return {
    error: error.name,
    ...(coded instanceof Error && 'code' in coded && { code: coded.code }),
    at: frames.slice(0, 5).map((line) => line.trim()),
  }
}
