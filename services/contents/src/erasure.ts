import { announce, type Database, erasures, lastSweepSeconds, type Transaction } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'

/**
 * Writes, in the transaction that deletes a case or session, the tombstone of its objects, and announces their removal:
 * now, and again when nothing can bring one back.
 */
export async function bury(
  tx: Transaction,
  { caseId, sessionId, requestId }: { caseId: number; sessionId: number | null; requestId: string },
): Promise<void> {
  const [tombstone] = await tx.insert(erasures).values({ caseId, sessionId }).returning({ id: erasures.id })
  if (!tombstone) throw new Error('the insert gave no row')
  await announce(tx, 'erase', { erasure_id: tombstone.id }, { requestId })
  await announce(tx, 'erase', { erasure_id: tombstone.id }, { delaySeconds: lastSweepSeconds, requestId })
}

/**
 * A transaction that deletes a case or session: a heavy statement, because it removes all rows below, and others of the
 * same therapist would only wait for its locks. A case of 10,000 sessions takes several seconds.
 */
export const erase = <T>(db: Database, userId: number, work: (tx: Transaction) => Promise<T>): Promise<T> =>
  db.heavy(userId, (pool) =>
    pool.transaction(async (tx) => {
      await tx.execute(sql`set local statement_timeout = '15s'`)
      return work(tx)
    }),
  )
