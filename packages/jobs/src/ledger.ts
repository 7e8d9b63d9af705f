import { type Database, outbox, statement } from '@playtherapy/schema'
import DataLoader from 'dataloader'
import { and, eq, isNotNull, isNull, lte, type SQL, sql } from 'drizzle-orm'

/**
 * A job's outbox row is its ledger: it exists until the job has ended, and counts the attempts. The queue only distributes
 * jobs; whether one has ended, or was announced twice, is decided here.
 */
const open = (id: number) => and(eq(outbox.id, id), isNull(outbox.failedAt))

/**
 * Lets the commit of a statement not wait for the disk; the condition is always true. If a crash of the database loses the
 * count of an attempt or the end of a job, the job is announced again, and jobs are idempotent.
 */
const withoutWaiting = sql`set_config('synchronous_commit', 'off', true) = 'off'`

export interface Ledger {
  /** Counts an attempt and returns its number; undefined when the job has ended already. */
  beginAttempt(id: number): Promise<number | undefined>
  endJob(id: number): Promise<void>
}

/** The ledger of a process's jobs. Those that begin or end while a statement runs share the next one and its commit. */
export function openLedger(db: Database): Ledger {
  const these = sql`${outbox.id} = any(${sql.placeholder('ids')}::bigint[])`
  const textOf = (ids: number[]) => `{${ids.join()}}`
  const beginAll = statement<{ id: number; attempts: number }>(
    db,
    sql`update ${outbox} set attempts = ${outbox.attempts} + 1, available_at = least(${outbox.availableAt}, now()) where ${these} and ${outbox.failedAt} is null and ${withoutWaiting}
      returning ${outbox.id}::float8 as id, ${outbox.attempts} as attempts`,
  )
  const endAll = statement(db, sql`delete from ${outbox} where ${these} and ${withoutWaiting}`)
  const begin = together<number | undefined>(async (ids) => {
    const attempts = new Map((await beginAll({ ids: textOf(ids) })).map((row) => [row.id, row.attempts]))
    return ids.map((id) => attempts.get(id))
  })
  const end = together<void>(async (ids) => {
    await endAll({ ids: textOf(ids) })
    return ids.map(() => undefined)
  })
  return { beginAttempt: (id) => begin.load(id), endJob: (id) => end.load(id) }
}

/** Most jobs that share a statement. */
const mostJobs = 500

function together<T>(act: (ids: number[]) => Promise<T[]>): DataLoader<number, T> {
  let previous: Promise<unknown> = Promise.resolve()
  const batch = async (ids: readonly number[]) => {
    const acting = act([...ids])
    previous = acting.catch(() => {})
    return acting
  }
  const batchScheduleFn = (dispatch: () => void) => void previous.then(dispatch)
  return new DataLoader(batch, { cache: false, maxBatchSize: mostJobs, batchScheduleFn })
}

/**
 * Records that a job is due again only after a pause, so that it does not count as waiting meanwhile. The pause in the queue is
 * decisive: an attempt that begins earlier makes the job due.
 */
export async function pauseJob(db: Database, id: number, pauseMs: number): Promise<void> {
  await db
    .update(outbox)
    .set({ availableAt: sql`now() + make_interval(secs => ${pauseMs / 1000})` })
    .where(and(open(id), withoutWaiting))
}

/** Takes back the count of an attempt that was put back. */
export async function uncountAttempt(db: Database, id: number): Promise<void> {
  await db
    .update(outbox)
    .set({ attempts: sql`greatest(${outbox.attempts} - 1, 0)` })
    .where(open(id))
}

/** Why a job was given up, for operators, and whether it was because of its input. */
export interface DeadLetter {
  failure: string
  isRefused: boolean
}

/** Records that the job was given up. Its row stays, with the reason, as a dead letter. */
export async function buryJob(db: Database, id: number, { failure, isRefused }: DeadLetter): Promise<void> {
  await db.update(outbox).set({ failedAt: sql`now()`, failure, isRefused }).where(open(id))
}

/** For metrics: the number of jobs in each state, and the age in seconds of the oldest due job. It reads the whole outbox. */
export async function countJobs(db: Database) {
  const due = lte(outbox.availableAt, sql`now()`)
  const of = (condition: SQL | undefined) => sql<number>`(count(*) filter (where ${condition}))::int`
  const [counts] = await db
    .select({
      jobs_unpublished: of(and(due, isNull(outbox.publishedAt), isNull(outbox.failedAt))),
      jobs_published: of(and(isNotNull(outbox.publishedAt), isNull(outbox.failedAt))),
      jobs_failed: of(and(isNotNull(outbox.failedAt), sql`not ${outbox.isRefused}`)),
      jobs_refused: of(and(isNotNull(outbox.failedAt), sql`${outbox.isRefused}`)),
      jobs_oldest_seconds: sql<number>`coalesce(extract(epoch from
        now() - min(${outbox.availableAt}) filter (where ${and(due, isNull(outbox.failedAt))}))::float8, 0)`,
    })
    .from(outbox)
  if (!counts) throw new Error('there is no row')
  return counts
}
