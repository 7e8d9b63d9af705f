import { type Database, outbox } from '@playtherapy/schema'
import { and, eq, isNull, sql } from 'drizzle-orm'

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
