/**
 * An error for which a retry is useless. The therapist sees its message: plain words, nothing internal. The job is refused
 * because of its input, a recording or a script, unless `fault` says that something of ours failed.
 */
export class PermanentError extends Error {
  override name = 'PermanentError'
  readonly fault: 'input' | 'ours'
  constructor(message: string, { fault = 'input' }: { fault?: 'input' | 'ours' } = {}) {
    super(message)
    this.fault = fault
  }
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
