import type { Database } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'

/** Longest wait for a lock: other statements that use the trail wait behind it. */
const lockMs = 500

/** Makes the partitions of the next months, and drops those that ended so many years ago. A lock that it does not get it asks for an hour later. */
export async function keepPartitions(db: Database, years: number): Promise<void> {
  for (const work of [sql`select make_audit_partitions()`, sql`select drop_audit_partitions(${years}::int)`]) {
    await db.transaction(async (tx) => {
      await tx.execute(sql.raw(`set local lock_timeout = ${lockMs}`))
      await tx.execute(work)
    })
  }
}
