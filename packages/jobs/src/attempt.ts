import type { Database } from '@playtherapy/schema'
import type { Job } from 'bullmq'
import type { JobData } from './catalogue.ts'
import { type Ledger, uncountAttempt } from './ledger.ts'

/**
 * A first attempt is counted when it fails or has run for so long, because most have ended by then and need no count. If an
 * attempt ends its process sooner, it is counted from the second start on.
 */
const countAfterMs = 50

/**
 * Begins an attempt at a job, and returns its number, from 1, with the functions that count it in the outbox. Resolves with
 * undefined when the job was announced twice and has ended already.
 */
export async function beginAttempt(job: Job<JobData>, db: Database, ledger: Ledger) {
  const { outbox_id: outboxId, first_attempt: first } = job.data
  const isFirst = job.attemptsStarted === 1 && first !== undefined
  const attempt = isFirst ? first : await ledger.beginAttempt(outboxId)
  if (attempt === undefined) return undefined

  /** Undefined before the attempt is counted; resolves with undefined if the database is down. */
  let counted: Promise<number | undefined> | undefined = isFirst ? undefined : Promise.resolve(attempt)
  const count = async () => {
    counted ??= ledger.beginAttempt(outboxId).catch(() => undefined)
    await counted
  }
  const timer = setTimeout(count, countAfterMs)
  /** Resolves when a count that has begun has ended; no count begins afterwards. */
  const settle = () => {
    clearTimeout(timer)
    return counted
  }
  /** Takes the count back, because the job is put back without a result. */
  const uncount = async () => {
    if (await settle()) await uncountAttempt(db, outboxId)
  }
  return { attempt, count, settle, uncount }
}

export type Attempt = NonNullable<Awaited<ReturnType<typeof beginAttempt>>>
