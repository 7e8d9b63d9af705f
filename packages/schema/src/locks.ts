import { sql } from 'drizzle-orm'
import type { Transaction } from './database.ts'

/**
 * All advisory locks. The numbers are arbitrary but must never change, because processes of two releases run side by side
 * during an upgrade.
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
 * Takes a lock until the transaction ends; false when another process holds it. A process that dies releases it with its
 * connection.
 */
export async function tryLock(tx: Transaction, lock: keyof typeof locks): Promise<boolean> {
  const [row] = await tx.execute<{ held: boolean }>(sql`select pg_try_advisory_xact_lock(${locks[lock]}) as held`)
  return row?.held ?? false
}
