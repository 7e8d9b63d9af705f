/** An error that no retry mends. The therapist sees its message: plain words, nothing internal. */
export class PermanentError extends Error {
  override name = 'PermanentError'
}

/** The job cannot run now, because another attempt is alive: it comes back after `delayMs`, and no attempt is used up. */
export class PostponedError extends Error {
  override name = 'PostponedError'
  readonly delayMs: number
  constructor(delayMs: number) {
    super('The job was postponed')
    this.delayMs = delayMs
  }
}
