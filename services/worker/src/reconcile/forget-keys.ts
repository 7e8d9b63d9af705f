import { type Database, idempotencyKeys } from '@playtherapy/schema'
import { inArray, sql } from 'drizzle-orm'

/** Keys removed in one round. */
const batch = 10_000

/** Removes the keys of requests that may no longer be repeated; returns how many. Safe to run twice at once. */
export async function forgetKeys(db: Database): Promise<number> {
  const { userId, key, createdAt } = idempotencyKeys
  const old = db
    .select({ userId, key })
    .from(idempotencyKeys)
    .where(sql`${createdAt} <= now() - interval '1 day'`)
    .limit(batch)
  const removed = await db
    .delete(idempotencyKeys)
    .where(inArray(sql`(${userId}, ${key})`, old))
    .returning({ key })
  return removed.length
}
