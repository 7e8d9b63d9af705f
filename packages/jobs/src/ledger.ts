import { type Database, outbox } from '@playtherapy/schema'
import { and, eq, isNotNull, isNull, lte, type SQL, sql } from 'drizzle-orm'

/**
 * A job's outbox row as its ledger: it is there until the job has ended, and it counts the tries. The queue is only
 * told; what it forgets, or does twice, is decided here.
 */
const open = (id: number) => and(eq(outbox.id, id), isNull(outbox.failedAt))

/** Counts a try that begins; undefined when the job has ended already, so that there is nothing to do. */
export async function beginTry(db: Database, id: number): Promise<number | undefined> {
  const [row] = await db
    .update(outbox)
    .set({ attempts: sql`${outbox.attempts} + 1` })
    .where(open(id))
    .returning({ attempts: outbox.attempts })
  return row?.attempts
}

/** A try that was put back does not count. */
export async function uncountTry(db: Database, id: number): Promise<void> {
  await db
    .update(outbox)
    .set({ attempts: sql`greatest(${outbox.attempts} - 1, 0)` })
    .where(open(id))
}

/** The job is done. */
export async function endJob(db: Database, id: number): Promise<void> {
  await db.delete(outbox).where(eq(outbox.id, id))
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
