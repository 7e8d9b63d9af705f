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

/** The part of a pino logger that jobs need. Its serializer of `err` keeps of an error what may be logged. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  child(fields: object): Log
}
