import { inFolder, type ObjectStore } from '@playtherapy/object-store'
import { caseExports, type Database } from '@playtherapy/schema'
import { inArray, sql } from 'drizzle-orm'

/** Rows removed in one round. */
const batchRows = 100

/**
 * Removes exports whose time is over, also in several processes at once; returns their number. The row is deleted before its file, so
 * that nobody gets a link to what is about to be removed. The orphan sweep removes a file that cannot be removed now.
 */
export async function forgetExports({ db, store }: { db: Database; store: ObjectStore }): Promise<number> {
  const old = db
    .select({ id: caseExports.id })
    .from(caseExports)
    .where(sql`${caseExports.expiresAt} <= now()`)
    .limit(batchRows)
  const removed = await db.delete(caseExports).where(inArray(caseExports.id, old)).returning({ path: caseExports.path })
  await store.delete(removed.flatMap(({ path }) => (path === null ? [] : [inFolder('export', path)])))
  return removed.length
}
