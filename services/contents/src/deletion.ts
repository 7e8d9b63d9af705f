import type { Database, Transaction } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'

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
