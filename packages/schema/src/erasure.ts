import { and, inArray, ne, sql } from 'drizzle-orm'
import { because, type Cause } from './audit.ts'
import type { Transaction } from './database.ts'
import { lastSweepSeconds } from './jobs.ts'
import { announce } from './outbox.ts'
import { ownSession, type SessionOfCaller } from './ownership.ts'
import { type ErasureAsker, erasures, State, sessions, videos } from './tables.ts'

/** Who asked for a deletion. */
interface Asked {
  askedBy?: ErasureAsker
  /** Of a request; a command has none. */
  requestId?: string
  /** The request itself, for the audit trail. */
  cause?: Cause
}

interface Erased extends Asked {
  /** The therapist whose case it was. */
  userId: number
  caseId: number
  /** Null for the whole case. */
  sessionId: number | null
  /** Null for the whole session or case. */
  videoId: number | null
}

/**
 * Writes the tombstone of the objects of a case, a session or a video in the transaction that deletes the row, and
 * announces two removals of them: one at once, one when no upload can bring an object back. A trigger deletes an export of the
 * case, which has what is deleted, too. Returns the public id of the erasure, under which its state and in the end its receipt are found.
 */
export async function announceErasure(tx: Transaction, erased: Erased): Promise<string> {
  const [tombstone] = await tx
    .insert(erasures)
    .values(erased)
    .returning({ id: erasures.id, publicId: erasures.publicId })
  if (!tombstone) throw new Error('the insert returned no row')
  const { requestId } = erased
  const job = erased.videoId === null ? 'erase' : 'erase-video'
  const cause = requestId ? { requestId } : {}
  await announce(tx, job, { erasure_id: tombstone.id }, cause)
  await announce(tx, job, { erasure_id: tombstone.id }, { delaySeconds: lastSweepSeconds, ...cause })
  return tombstone.publicId
}

/** Presigned URLs without an announced upload are no recordings yet. */
export const isRecording = ne(videos.state, 'presigned')

/** Matches all recordings of the caller's session. */
const recordingsOf = (tx: Transaction, caller: SessionOfCaller) =>
  and(isRecording, inArray(videos.sessionId, tx.select({ id: sessions.id }).from(sessions).where(ownSession(caller))))

/** A recording that was deleted, and the public id of the erasure of its objects. */
export interface DeletedRecording {
  videoId: number
  erasure: string
}

/**
 * Deletes all recordings of the caller's session, and announces the erasure of their objects. Their uploads and encodes end,
 * because their rows are deleted. The encoding becomes NONE, as does a script that was only awaited, and the length
 * is unknown unless a client has set it for the next recording. Locks the session.
 */
export async function deleteRecordings(
  tx: Transaction,
  caller: SessionOfCaller,
  asked: Asked,
): Promise<DeletedRecording[]> {
  await tx
    .select({ id: sessions.id })
    .from(sessions)
    .where(and(ownSession(caller), because(asked.cause)))
    .for('no key update')
  if ((await tx.$count(videos, recordingsOf(tx, caller))) === 0) return []
  const isForNext = sql`${sessions.videoLengthSetFor} is not distinct from 0`
  await tx
    .update(sessions)
    .set({
      videoId: null,
      renditionId: null,
      encodingStateId: State.NONE,
      scriptStateId: sql`case when ${sessions.scriptVersionId} is null
        then ${State.NONE} else ${sessions.scriptStateId} end::smallint`,
      videoLength: sql`case when ${isForNext} then ${sessions.videoLength} end`,
      videoLengthSetFor: sql`case when ${isForNext} then 0 end`,
      previousVideoLength: sql`case when ${isForNext}
        then ${sessions.previousVideoLength} else ${sessions.videoLength} end`,
    })
    .where(ownSession(caller))
  const deleted = await tx.delete(videos).where(recordingsOf(tx, caller)).returning({ videoId: videos.id })
  const recordings: DeletedRecording[] = []
  for (const { videoId } of deleted) {
    recordings.push({ videoId, erasure: await announceErasure(tx, { ...caller, videoId, ...asked }) })
  }
  return recordings
}
