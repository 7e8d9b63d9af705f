import { sql } from 'drizzle-orm'
import type { Transaction } from './database.ts'

/** All advisory locks. Their numbers never change, because processes of two releases run side by side in an upgrade. */
export const locks = {
  migrate: 20_261_123,
  reconcile: 20_261_124,
  announce: 20_261_125,
  /** Held by transactions that change sessions, from when they take a number in `session_changes` until they have ended. */
  numberChanges: 20_261_126,
  sweepOrphans: 7_262_002,
  seal: 20_261_128,
  /** One for each therapist: the number of their id comes beside this one. */
  beginUpload: 20_261_127,
  /** The same, for exports. */
  beginExport: 20_261_129,
  /** One for each case: whatever begins its export, or deletes what that would have (migration 0031). */
  exportOfCase: 20_261_130,
}

/** Takes a lock until the transaction ends; false when another process holds it. A process that dies releases it. */
export async function tryLock(
  tx: Transaction,
  lock: 'reconcile' | 'announce' | 'sweepOrphans' | 'seal',
): Promise<boolean> {
  const [row] = await tx.execute<{ held: boolean }>(sql`select pg_try_advisory_xact_lock(${locks[lock]}) as held`)
  return row?.held ?? false
}

/** Keeps sweeps of orphans from beginning until the transaction ends; false while one is under way. Several may do so at once. */
export async function tryHoldOffSweeps(tx: Transaction): Promise<boolean> {
  const [row] = await tx.execute<{ held: boolean }>(
    sql`select pg_try_advisory_xact_lock_shared(${locks.sweepOrphans}) as held`,
  )
  return row?.held ?? false
}

/** Waits until no other transaction begins a resumable upload of this therapist, and lets none until this one ends. */
export async function lockBeginnings(tx: Transaction, userId: number): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(${locks.beginUpload}, ${userId})`)
}

/** Waits until no other transaction begins an export for this therapist, and lets none until this one ends. */
export async function lockExports(tx: Transaction, userId: number): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(${locks.beginExport}, ${userId})`)
}

/** Waits until no other transaction deletes anything of this case, and lets none until this one ends. Take the lock of the case first. */
export async function lockExportOf(tx: Transaction, caseId: number): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(${locks.exportOfCase}, ${caseId})`)
}
