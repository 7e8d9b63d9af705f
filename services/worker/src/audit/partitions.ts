import type { Database } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'

/**
 * Makes the partitions of the next months, and drops the oldest one when it ended as long ago as the installation says, one in each
 * week. Rejects where a long statement keeps it from a drop, which is then tried an hour later.
 */
export async function keepPartitions(db: Database): Promise<void> {
  await db.execute(sql`select make_audit_partitions()`)
  await db.execute(sql`select drop_audit_partitions()`)
}
