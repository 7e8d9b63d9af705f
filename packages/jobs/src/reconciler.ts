import { setTimeout } from 'node:timers/promises'
import { type Database, outbox } from '@playtherapy/schema'
import { and, asc, eq, inArray, isNull, lt, sql } from 'drizzle-orm'
import { announcementColumns, isPublishable } from './catalogue.ts'
import type { Queues } from './connection.ts'
import type { Log } from './faults.ts'

export interface ReconcilerSettings {
  db: Database
  queues: Pick<Queues, 'queue'>
  log: Log
}

export interface Reconciler {
  close(): Promise<void>
}

/** How often the queue is compared with the outbox, in milliseconds. */
const everyMs = 15_000
/** Seconds since a row was published, or last found in the queue, before it is looked for again. */
const patience = 20
/** Rows compared in one round. */
const batch = 200
/** Any constant; whoever holds it is the one that reconciles. */
const lockId = 20_261_124

/** States of a job that still has something to come; anything else, or no job, means that the queue lost it. */
const alive = new Set(['waiting', 'waiting-children', 'prioritized', 'delayed', 'active'])

/**
 * Announces again, in a new row, what was published and that the queue knows nothing of any more, as after a wiped
 * Redis. One process at a time does it. Jobs are idempotent, so a second announcement does no harm.
 */
export function startReconciler({ db, queues, log }: ReconcilerSettings): Reconciler {
  const stop = new AbortController()

  const round = () =>
    db.transaction(async (tx) => {
      const [lock] = await tx.execute<{ held: boolean }>(sql`select pg_try_advisory_xact_lock(${lockId}) as held`)
      if (!lock?.held) return
      const rows = await tx
        .select(announcementColumns)
        .from(outbox)
        .where(and(isNull(outbox.failedAt), lt(outbox.publishedAt, sql`now() - make_interval(secs => ${patience})`)))
        .orderBy(asc(outbox.publishedAt))
        .limit(batch)
      const found: number[] = []
      for (const { id, ...row } of rows) {
        if (!isPublishable({ id, ...row })) continue
        const state = await queues.queue(row.name).getJobState(`${row.name}-${id}`)
        if (alive.has(state)) {
          found.push(id)
          continue
        }
        const gone = await tx.delete(outbox).where(eq(outbox.id, id)).returning({ id: outbox.id })
        if (gone.length === 0) continue
        await tx.insert(outbox).values(row)
        log.warn({ job: row.name, outbox_id: id }, 'the queue lost a job, it is announced again')
      }
      // Those go to the end of the line.
      if (found.length > 0) await tx.update(outbox).set({ publishedAt: sql`now()` }).where(inArray(outbox.id, found))
    })

  const run = async () => {
    while (!stop.signal.aborted) {
      await setTimeout(everyMs * (0.5 + Math.random()), undefined, { signal: stop.signal }).catch(() => undefined)
      if (stop.signal.aborted) return
      await round().catch((error: unknown) => log.warn({ err: error }, 'the queue could not be reconciled'))
    }
  }
  const finished = run()
  return {
    async close() {
      stop.abort()
      await finished
    },
  }
}
