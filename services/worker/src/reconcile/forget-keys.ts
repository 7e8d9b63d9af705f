import { type Database, idempotencyKeys, idempotencySeconds } from '@playtherapy/schema'
import { inArray, sql } from 'drizzle-orm'

/** Rows removed in one round. */
const batchRows = 10_000

/** Removes idempotency keys that are older than `idempotencySeconds`, also in several processes at once; returns their number. */
export async function forgetKeys(db: Database): Promise<number> {
  const { userId, key, createdAt } = idempotencyKeys
  const old = db
    .select({ userId, key })
    .from(idempotencyKeys)
    .where(sql`${createdAt} <= now() - make_interval(secs => ${idempotencySeconds})`)
    .limit(batchRows)
  const removed = await db
    .delete(idempotencyKeys)
    .where(inArray(sql`(${userId}, ${key})`, old))
    .returning({ key })
  return removed.length
}
