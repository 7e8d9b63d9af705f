import {
  announce,
  audioRenditions,
  cases,
  type Database,
  renditions,
  State,
  sessions,
  type Transaction,
} from '@playtherapy/schema'
import { and, eq, inArray, isNull } from 'drizzle-orm'

/** A session without any script, which is the only kind that gets one made: what a person saved is never replaced. */
const unwritten = isNull(sessions.scriptVersionId)

/** Announces the script of a video that was just encoded, unless its session has one. */
export async function announceTranscript(
  tx: Transaction,
  { sessionId, videoId }: { sessionId: number; videoId: number },
): Promise<void> {
  const due = await tx
    .update(sessions)
    .set({ scriptStateId: State.READY })
    .where(and(eq(sessions.id, sessionId), unwritten))
    .returning({ id: sessions.id })
  if (due.length > 0) await announce(tx, 'transcribe-video', { video_id: videoId })
}

/** Ends the wait for a script of an older video, when the one that replaced it is not going to have one made. */
export async function forgetTranscript(tx: Transaction, sessionId: number): Promise<void> {
  const waiting = inArray(sessions.scriptStateId, [State.READY, State.START, State.ERROR])
  await tx
    .update(sessions)
    .set({ scriptStateId: State.NONE })
    .where(and(eq(sessions.id, sessionId), unwritten, waiting))
}

/** The session without a script that plays this video. */
const playing = (db: Pick<Database, 'select'>, videoId: number) =>
  and(
    inArray(
      sessions.renditionId,
      db.select({ id: renditions.id }).from(renditions).where(eq(renditions.videoId, videoId)),
    ),
    unwritten,
  )

/** Begins a script of a video's sound; undefined when there is a script or a newer video, or when they are gone. */
export const claimTranscript = (db: Database, videoId: number) =>
  db.transaction(async (tx) => {
    const [session] = await tx
      .update(sessions)
      .set({ scriptStateId: State.START })
      .where(playing(db, videoId))
      .returning({ sessionId: sessions.id, caseId: sessions.caseId })
    if (!session) return undefined
    const [audio] = await tx
      .select({
        userId: cases.userId,
        path: audioRenditions.path,
        size: audioRenditions.size,
        etag: audioRenditions.etag,
        durationMs: renditions.durationMs,
      })
      .from(audioRenditions)
      .innerJoin(renditions, eq(renditions.videoId, audioRenditions.videoId))
      .innerJoin(cases, eq(cases.id, session.caseId))
      .where(eq(audioRenditions.videoId, videoId))
    return audio && { ...session, ...audio }
  })

/** Whether a script of this video is still wanted, which it then is until the transaction ends. */
export async function isWanted(tx: Transaction, videoId: number): Promise<boolean> {
  const rows = await tx.select({ id: sessions.id }).from(sessions).where(playing(tx, videoId)).for('no key update')
  return rows.length > 0
}

/**
 * Ends the making of a script without one: ERROR, or as it was before there was a transcriber. False when nobody waits
 * for it any more.
 */
export async function endTranscript(db: Database, videoId: number, how: 'failed' | 'off'): Promise<boolean> {
  const ended = await db
    .update(sessions)
    .set({ scriptStateId: how === 'failed' ? State.ERROR : State.NONE })
    .where(and(playing(db, videoId), inArray(sessions.scriptStateId, [State.READY, State.START])))
    .returning({ id: sessions.id })
  return ended.length > 0
}
