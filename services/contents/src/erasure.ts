import { announce, type Database, erasures, lastSweepSeconds, type Transaction } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'

/**
 * Writes the tombstone of a case's or session's objects in the transaction that deletes the row, and announces two
 * removals of them: one at once, one when no upload can bring an object back.
 */
export async function announceErasure(
  tx: Transaction,
  { caseId, sessionId, requestId }: { caseId: number; sessionId: number | null; requestId: string },
): Promise<void> {
  const [tombstone] = await tx.insert(erasures).values({ caseId, sessionId }).returning({ id: erasures.id })
  if (!tombstone) throw new Error('the insert returned no row')
  await announce(tx, 'erase', { erasure_id: tombstone.id }, { requestId })
  await announce(tx, 'erase', { erasure_id: tombstone.id }, { delaySeconds: lastSweepSeconds, requestId })
}

/**
 * Runs a transaction that deletes a case or session. It counts as a heavy statement, because it deletes all rows below
 * (several seconds for 10,000 sessions), and others of the same therapist would only wait for its locks.
 */
export const runDeletion = <T>(db: Database, userId: number, work: (tx: Transaction) => Promise<T>): Promise<T> =>
  db.heavy(userId, (pool) =>
    pool.transaction(async (tx) => {
      await tx.execute(sql`set local statement_timeout = '15s'`)
      return work(tx)
    }),
  )
