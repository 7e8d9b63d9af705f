import { type Database, outbox, type Transaction, tryLock } from '@playtherapy/schema'
import { and, asc, eq, inArray, isNull, lt, sql } from 'drizzle-orm'
import { isPublishable, jobNames, mostFailed, outboxColumns } from './catalogue.ts'
import type { Queues } from './connection.ts'
import type { Log } from './log.ts'
import { type Background, repeat } from './repeat.ts'

export interface ReconcilerSettings {
  db: Database
  queues: Pick<Queues, 'queue'>
  log: Log
}

/** Longest pause between two comparisons of the queue with the outbox. */
const everyMs = 15_000
/** Seconds after a row was published, or last found in the queue, until it is looked up again. */
const lookAgainSeconds = 20
/** Rows compared in one round. */
const batchRows = 200

/** A clock that differs by more from that of the database is wrong. */
const mostWrongMs = 5_000

/** States of a job that will still run. In any other state, or without a job, the queue has lost it. */
const pending = new Set(['waiting', 'waiting-children', 'prioritized', 'delayed', 'active'])

/**
 * Removes failed jobs from the queue whose dead letter is no longer in the outbox: it was tried again, or what it names was erased,
 * and then nothing may name it any more.
 */
async function forgetFailed(tx: Transaction, queues: Pick<Queues, 'queue'>): Promise<void> {
  for (const name of jobNames) {
    const failed = await queues.queue(name).getFailed(0, mostFailed - 1)
    const ids = failed.map((job) => job.data.outbox_id)
    const known = await tx.select({ id: outbox.id }).from(outbox).where(inArray(outbox.id, ids))
    const isKnown = new Set(known.map(({ id }) => id))
    for (const job of failed) if (!isKnown.has(job.data.outbox_id)) await job.remove()
  }
}

/**
 * Runs a retry now that was put off by a worker whose clock was ahead when its attempt began: the moment that it chose comes later by as
 * much. `nowMs` is the time of the database.
 */
async function hasten(queue: ReturnType<Queues['queue']>, jobId: string, nowMs: number, log: Log): Promise<void> {
  const job = await queue.getJob(jobId)
  const byMs = (job?.processedOn ?? 0) - nowMs
  if (!job || byMs < mostWrongMs) return
  // It may be due by itself in this moment.
  await job.promote().catch((error: unknown) => log.debug({ err: error, job_id: jobId }, 'a retry was not hastened'))
  log.warn(
    { job: queue.name, seconds: Math.round(byMs / 1_000) },
    'the clock of a worker is ahead, its retry is hastened',
  )
}

/**
 * Announces published jobs that the queue has lost, for example with the data of Redis, again in new rows. One process at a
 * time does it, and holds the lock `reconcile`. Jobs are idempotent, so a second announcement does no harm. It also removes what
 * the queue should not keep.
 */
export function startReconciler({ db, queues, log }: ReconcilerSettings): Background {
  const round = () =>
    db.transaction(async (tx) => {
      const [time] = await tx.execute<{ ms: number }>(
        sql`select extract(epoch from clock_timestamp())::float8 * 1000 as ms`,
      )
      const nowMs = time?.ms ?? Number.NaN
      const seconds = Math.round((Date.now() - nowMs) / 1_000)
      if (Math.abs(seconds) * 1_000 > mostWrongMs) log.warn({ seconds }, 'the clock differs from that of the database')
      if (!(await tryLock(tx, 'reconcile'))) return
      const old = lt(outbox.publishedAt, sql`now() - make_interval(secs => ${lookAgainSeconds})`)
      const rows = await tx
        .select(outboxColumns)
        .from(outbox)
        .where(and(isNull(outbox.failedAt), old))
        .orderBy(asc(outbox.publishedAt))
        .limit(batchRows)
      const found: number[] = []
      for (const { id, ...row } of rows) {
        if (!isPublishable({ id, ...row })) continue
        const queue = queues.queue(row.name)
        const jobId = `${row.name}-${id}`
        const state = await queue.getJobState(jobId)
        if (state === 'delayed') await hasten(queue, jobId, nowMs, log)
        if (pending.has(state)) {
          found.push(id)
          continue
        }
        const removed = await tx.delete(outbox).where(eq(outbox.id, id)).returning({ id: outbox.id })
        // The job has ended meanwhile.
        if (removed.length === 0) continue
        await tx.insert(outbox).values(row)
        log.warn({ job: row.name, outbox_id: id }, 'the queue lost a job, it is announced again')
      }
      // A later round looks at these again, after the others.
      if (found.length > 0) await tx.update(outbox).set({ publishedAt: sql`now()` }).where(inArray(outbox.id, found))
      await forgetFailed(tx, queues)
    })
  return repeat({ name: 'reconciler', everyMs, round, log })
}
