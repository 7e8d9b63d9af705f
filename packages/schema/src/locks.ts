import { sql } from 'drizzle-orm'
import type { Transaction } from './database.ts'

/**
 * The advisory locks of this application. The numbers are arbitrary, but they never change: processes of the release
 * before and of this one run side by side.
 */
export const locks = {
  /** Held while migrations run. */
  migrate: 20_261_123,
  /** Held while the queue is compared with the outbox. */
  reconcile: 20_261_124,
  /** Held while transcripts and analyses are announced. */
  announce: 20_261_125,
  /** Held while objects that no row owns are removed. */
  sweepOrphans: 7_262_002,
}

/**
 * Takes a lock until the transaction ends; false when another process holds it. A process that dies frees the lock with
 * its connection.
 */
export async function tryLock(tx: Transaction, lock: keyof typeof locks): Promise<boolean> {
  const [row] = await tx.execute<{ held: boolean }>(sql`select pg_try_advisory_xact_lock(${locks[lock]}) as held`)
  return row?.held ?? false
}
