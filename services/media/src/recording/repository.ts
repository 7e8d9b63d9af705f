import {
  announceErasure,
  type Database,
  newestRecording,
  ownSession,
  type SessionOfCaller,
  State,
  sessions,
  statement,
  type Transaction,
  videos,
} from '@playtherapy/schema'
import type { VideoState } from '@playtherapy/service-kit'
import { and, inArray, ne, sql } from 'drizzle-orm'
import type { Static } from 'typebox'

type StateRow = Static<typeof VideoState>

/** Returns a function that selects the newest recording of the caller's session, by a prepared statement. */
export function findState(db: Database) {
  const { placeholder } = sql
  const caller = { userId: placeholder('userId'), caseId: placeholder('caseId'), sessionId: placeholder('sessionId') }
  const find = statement<StateRow>(
    db,
    sql`select recording.* from ${sessions} cross join lateral ${newestRecording(sessions.id)} as recording
      where ${ownSession(caller)}`,
  )
  return async ({ userId, caseId, sessionId }: SessionOfCaller): Promise<StateRow | undefined> => {
    const [row] = await find({ userId, caseId, sessionId })
    return row
  }
}

/** Presigned URLs without an announced upload are no recordings yet. */
const isRecording = ne(videos.state, 'presigned')

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
