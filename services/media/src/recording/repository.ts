import {
  announceErasure,
  type Database,
  ownSession,
  type SessionOfCaller,
  State,
  sessions,
  type Transaction,
  videos,
} from '@playtherapy/schema'
import { and, desc, eq, inArray, ne, sql } from 'drizzle-orm'

/** Presigned URLs without an announced upload are no recordings yet. */
const isRecording = ne(videos.state, 'presigned')

/** Selects the newest recording of the caller's session. */
export async function newestVideo(db: Database, caller: SessionOfCaller) {
  const [video] = await db
    .select({
      state: videos.state,
      progress: videos.progress,
      failure: videos.failure,
      file_name: videos.fileName,
      size: videos.size,
      received: sql<number | null>`coalesce(${videos.size}, ${videos.received})::float8`,
    })
    .from(videos)
    .innerJoin(sessions, eq(sessions.id, videos.sessionId))
    .where(and(ownSession(caller), isRecording))
    .orderBy(desc(videos.id))
    .limit(1)
  return video
}

/** Matches all recordings of the caller's session. */
const recordingsOf = (tx: Transaction, caller: SessionOfCaller) =>
  and(isRecording, inArray(videos.sessionId, tx.select({ id: sessions.id }).from(sessions).where(ownSession(caller))))

/**
 * Deletes all recordings of the caller's session, and announces the erasure of their objects. Their uploads and encodes end,
 * because their rows are deleted. The encoding becomes NONE, as does a script that was only awaited, and the length
 * is unknown unless a client has set it for the next recording. Returns whether there was a recording. Locks the session.
 */
export const deleteRecording = (db: Database, caller: SessionOfCaller, requestId: string): Promise<boolean> =>
  db.transaction(async (tx) => {
    await tx.select({ id: sessions.id }).from(sessions).where(ownSession(caller)).for('no key update')
    if ((await tx.$count(videos, recordingsOf(tx, caller))) === 0) return false
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
    const { caseId, sessionId } = caller
    for (const { videoId } of deleted) await announceErasure(tx, { caseId, sessionId, videoId, requestId })
    return true
  })
