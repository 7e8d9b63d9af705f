import { type Database, outbox, statement } from '@playtherapy/schema'
import DataLoader from 'dataloader'
import { and, eq, isNotNull, isNull, lte, type SQL, sql } from 'drizzle-orm'

/**
 * A job's outbox row as its ledger: it is there until the job has ended, and it counts the tries. The queue is only
 * told; what it forgets, or does twice, is decided here.
 */
const open = (id: number) => and(eq(outbox.id, id), isNull(outbox.failedAt))

/**
 * Lets a statement's commit not wait for the disk; always true. What may be lost then, and only with the database
 * itself, is the count of a try, or that a job has ended: it is announced again, and jobs are idempotent.
 */
const hasty = sql`set_config('synchronous_commit', 'off', true) = 'off'`

export interface Ledger {
  /** Counts a try; which it is, or undefined when the job has ended already, so that there is nothing to do. */
  beginTry(id: number): Promise<number | undefined>
  /** The job is done. */
  endJob(id: number): Promise<void>
}

/**
 * What happens to every job, for all jobs of a process: those that begin or end while a statement is under way share
 * the next one, so that many small jobs do not each wait for a commit of their own.
 */
export function openLedger(db: Database): Ledger {
  const these = sql`${outbox.id} = any(${sql.placeholder('ids')}::bigint[])`
  const textOf = (ids: number[]) => `{${ids.join()}}`
  const beginAll = statement<{ id: number; attempts: number }>(
    db,
    sql`update ${outbox} set attempts = ${outbox.attempts} + 1 where ${these} and ${outbox.failedAt} is null and ${hasty}
      returning ${outbox.id}::float8 as id, ${outbox.attempts} as attempts`,
  )
  const endAll = statement(db, sql`delete from ${outbox} where ${these} and ${hasty}`)
  const begin = together<number | undefined>(async (ids) => {
    const attempts = new Map((await beginAll({ ids: textOf(ids) })).map((row) => [row.id, row.attempts]))
    return ids.map((id) => attempts.get(id))
  })
  const end = together<void>(async (ids) => {
    await endAll({ ids: textOf(ids) })
    return ids.map(() => undefined)
  })
  return { beginTry: (id) => begin.load(id), endJob: (id) => end.load(id) }
}

/** Most jobs that share a statement. */
const mostTogether = 500

function together<T>(act: (ids: number[]) => Promise<T[]>): DataLoader<number, T> {
  let underWay: Promise<unknown> = Promise.resolve()
  const batch = async (ids: readonly number[]) => {
    const acting = act([...ids])
    underWay = acting.catch(() => {})
    return acting
  }
  const batchScheduleFn = (dispatch: () => void) => void underWay.then(dispatch)
  return new DataLoader(batch, { cache: false, maxBatchSize: mostTogether, batchScheduleFn })
}

/** A try that was put back does not count. */
export async function uncountTry(db: Database, id: number): Promise<void> {
  await db
    .update(outbox)
    .set({ attempts: sql`greatest(${outbox.attempts} - 1, 0)` })
    .where(open(id))
}

/** The job is given up; its row stays for somebody to look at, with the reason. */
export async function buryJob(db: Database, id: number, reason: string): Promise<void> {
  await db.update(outbox).set({ failedAt: sql`now()`, failure: reason }).where(open(id))
}

/** For metrics: jobs by what they wait for, and the age in seconds of the oldest that is due and has not ended. */
export async function countJobs(db: Database): Promise<Record<string, number>> {
  const due = lte(outbox.availableAt, sql`now()`)
  const of = (condition: SQL | undefined) => sql<number>`(count(*) filter (where ${condition}))::int`
  const [counts] = await db
    .select({
      jobs_unpublished: of(and(due, isNull(outbox.publishedAt), isNull(outbox.failedAt))),
      jobs_published: of(and(isNotNull(outbox.publishedAt), isNull(outbox.failedAt))),
      jobs_failed: of(isNotNull(outbox.failedAt)),
      jobs_oldest_seconds: sql<number>`coalesce(extract(epoch from
        now() - min(${outbox.availableAt}) filter (where ${and(due, isNull(outbox.failedAt))}))::float8, 0)`,
    })
    .from(outbox)
  return counts ?? {}
}
