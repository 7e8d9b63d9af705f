/** An error for which a retry is useless. The therapist sees its message: plain words, nothing internal. */
export class PermanentError extends Error {
  override name = 'PermanentError'
}

/** Another attempt is alive: the job is retried after `delayMs`, without losing an attempt. */
export class PostponedError extends Error {
  override name = 'PostponedError'
  readonly delayMs: number
  constructor(delayMs: number) {
    super('The job was postponed')
    this.delayMs = delayMs
  }
}
