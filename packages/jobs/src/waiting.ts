import { type Database, type JobName, outbox } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'
import { jobNames } from './catalogue.ts'
import type { Queues } from './connection.ts'

/** Most running jobs of one name that are looked up. More workers than that make some of them count as waiting. */
const mostRunning = 10_000

/**
 * For metrics: for how many seconds the oldest job of each name that waits for a worker has been due; 0 where none waits. A job that runs
 * does not wait, and only the queue knows which do. A job that failed is due after its pause: BullMQ would count it as delayed until a
 * worker has room for it. Reads the whole outbox. Rejects when the queue does not respond.
 */
export async function waitingSeconds(db: Database, queues: Pick<Queues, 'queue'>): Promise<Map<JobName, number>> {
  const running = await Promise.all(
    jobNames.map((name) => queues.queue(name).getRanges(['active'], 0, mostRunning - 1)),
  )
  const ids = running.flat().flatMap((id) => /\d+$/.exec(id) ?? [])
  const rows = await db
    .select({
      name: outbox.name,
      seconds: sql<number>`extract(epoch from now() - min(${outbox.availableAt}))::float8`,
    })
    .from(outbox)
    .where(
      sql`${outbox.failedAt} is null and ${outbox.availableAt} <= now() and ${outbox.id} <> all(${`{${ids.join()}}`}::bigint[])`,
    )
    .groupBy(outbox.name)
  const seconds = new Map(rows.map((row) => [row.name, row.seconds]))
  return new Map(jobNames.map((name) => [name, seconds.get(name) ?? 0]))
}
