import type { Transaction } from './database.ts'
import { lastSweepSeconds } from './jobs.ts'
import { announce } from './outbox.ts'
import { erasures } from './tables.ts'

interface Erased {
  caseId: number
  /** Null for the whole case. */
  sessionId: number | null
  /** Null for the whole session or case. */
  videoId: number | null
  requestId: string
}

/**
 * Writes the tombstone of the objects of a case, a session or a video in the transaction that deletes the row, and
 * announces two removals of them: one at once, one when no upload can bring an object back.
 */
export async function announceErasure(tx: Transaction, { requestId, ...whose }: Erased): Promise<void> {
  const [tombstone] = await tx.insert(erasures).values(whose).returning({ id: erasures.id })
  if (!tombstone) throw new Error('the insert returned no row')
  const job = whose.videoId === null ? 'erase' : 'erase-video'
  await announce(tx, job, { erasure_id: tombstone.id }, { requestId })
  await announce(tx, job, { erasure_id: tombstone.id }, { delaySeconds: lastSweepSeconds, requestId })
}
