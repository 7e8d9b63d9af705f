import { type JobContext, PermanentError, PostponedError } from '@playtherapy/jobs'
import type { Database, JobPayloads } from '@playtherapy/schema'
import { type Meter, reasonOf } from '@playtherapy/service-kit'
import { AddressError, LookupError } from './address.ts'
import { type Answer, post, type Receiver } from './post.ts'
import { claimMessage, dueMs, endArrived, endGivenUp, tryAgain } from './repository.ts'

/** Pause after the first attempt, which triples with each further one, and the longest pause. */
const [firstPauseMs, longestPauseMs] = [5_000, 4 * 3_600_000]

/** After so long another worker, which has a receiver, may get a job of one that has none: twice as long each time. */
const [soonestMs, latestMs] = [500, 10_000]

type Payload = JobPayloads['send-webhook']

interface WebhookResources {
  db: Database
  /** Undefined in a worker without one. */
  receiver: Receiver | undefined
  meter: Meter
}

/**
 * The job that makes one attempt to tell the receiver of a session. A message that does not arrive is tried again for a day, by a
 * job of its own for each attempt. The receiver ends that with 410 or a redirect: then the job becomes a dead letter at once. The next
 * change of the session is a new message in any case. A worker without a receiver leaves it to others, until `endWebhooks` has ended it.
 */
export function createSendWebhook({ db, receiver, meter }: WebhookResources) {
  const count = meter.counter({
    name: 'webhook_attempts_total',
    help: 'Attempts to tell the receiver of webhooks, by how they ended: the message arrived, will be tried again, was given up',
    labels: { outcome: ['arrived', 'failed', 'given_up'] },
  })
  return async (whose: Payload, { signal, log }: Pick<JobContext, 'signal' | 'log'>): Promise<void> => {
    if (!receiver) {
      const ms = await dueMs(db, whose)
      if (ms === undefined) return
      throw new PostponedError(Math.min(Math.max(ms, soonestMs), latestMs))
    }
    const claimed = await claimMessage(db, whose)
    if (!claimed) return
    if ('heldMs' in claimed) throw new PostponedError(claimed.heldMs)
    const { messageId, body, attempts, leftMs } = claimed
    const result = await post(receiver, { id: messageId, body }, signal).catch((error: unknown) => ({ error }))
    if ('status' in result && isReceived(result)) {
      count({ outcome: 'arrived' })
      return endArrived(db, whose, messageId)
    }
    // The process stops. Another one makes this attempt again.
    if (signal.aborted) throw signal.reason
    const problem = 'status' in result ? `it answered ${result.status}` : wordsFor(result.error)
    const isOver = leftMs <= 0 || ('status' in result && isEnd(result))
    count({ outcome: isOver ? 'given_up' : 'failed' })
    if ('status' in result && isEnd(result)) {
      throw new PermanentError(`The receiver of webhooks wants no such message: ${problem}.`, { fault: 'ours' })
    }
    if (leftMs <= 0) {
      throw new PermanentError(`The receiver of webhooks took no message for a day: ${problem}.`, { fault: 'ours' })
    }
    const asked = 'status' in result ? result.retryAfterMs : undefined
    const pauseMs = Math.min(pauseAfter(attempts + 1, asked), leftMs)
    log.warn({ webhook_id: messageId, problem, pauseMs: Math.round(pauseMs) }, 'a webhook did not arrive')
    await tryAgain(db, whose, messageId, pauseMs / 1_000)
  }
}

/** Ends a message that was given up. It returns false, because `endGivenUp` has written the dead letter. */
export const createWebhookFailed =
  (db: Database) =>
  async (whose: Payload, reason: string): Promise<boolean> => {
    await endGivenUp(db, whose, reason)
    return false
  }

const isReceived = ({ status }: Answer) => status >= 200 && status < 300

const isEnd = ({ status }: Answer) => status === 410 || (status >= 300 && status < 400)

/** The pause after so many attempts, half of it random, or the longer one that the receiver asks for; never more than the longest. */
function pauseAfter(attempts: number, askedMs = 0): number {
  const pauseMs = Math.min(firstPauseMs * 3 ** (attempts - 1), longestPauseMs)
  return Math.min(Math.max(pauseMs * (0.5 + Math.random() / 2), askedMs), longestPauseMs)
}

const wordsFor = (error: unknown): string =>
  error instanceof AddressError || error instanceof LookupError ? error.message : reasonOf(error)
