/** An error for which a retry is useless. The therapist sees its message: plain words, nothing internal. */
export class PermanentError extends Error {
  override name = 'PermanentError'
}

/** The queue failed, and not the database in which the outbox is; `cause` is its error. */
export class QueueError extends Error {
  override name = 'QueueError'
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
