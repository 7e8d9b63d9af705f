import {
  announce,
  audioRenditions,
  auditHandover,
  cases,
  chunkFiles,
  chunks,
  type Database,
  encodePlans,
  renditions,
  State,
  sessions,
  type Transaction,
  videos,
} from '@playtherapy/schema'
import { and, eq, inArray, isNull, notExists, or, type SQLWrapper, sql } from 'drizzle-orm'

/** Recordings in one round. */
const batchRows = 100

/** Only a session without a script is transcribed, because a person's script is never replaced. */
const unwritten = isNull(sessions.scriptVersionId)

/** The video of a session's current rendition. */
const played = (db: Pick<Database, 'select'>) =>
  db.select({ videoId: renditions.videoId }).from(renditions).where(eq(renditions.id, sessions.renditionId))

/**
 * Whether a session's script is to be made of this video: of the current one as soon as its encode is planned, and until then
 * of the one that plays. The sound is encoded long before the picture.
 */
const isHeard = (db: Pick<Database, 'select'>, videoId: number | SQLWrapper) => {
  const planned = db
    .select({ id: encodePlans.videoId })
    .from(encodePlans)
    .innerJoin(videos, eq(videos.id, encodePlans.videoId))
    .where(and(eq(encodePlans.videoId, sessions.videoId), inArray(videos.state, ['encoding', 'encoded'])))
  return or(eq(sessions.videoId, videoId), and(notExists(planned), eq(played(db), videoId)))
}

/**
 * Decides about the sounds that were encoded since the last round. With a transcriber, those of sessions without a script are
 * announced. Without one they are not, even if a transcriber is configured later. Locks these sessions; returns the
 * number of announced transcripts.
 */
export async function announceTranscripts(tx: Transaction, transcribes: boolean): Promise<number> {
  const fresh = await tx
    .select({ videoId: audioRenditions.videoId, sessionId: sessions.id, scriptVersionId: sessions.scriptVersionId })
    .from(audioRenditions)
    .innerJoin(videos, and(eq(videos.id, audioRenditions.videoId), inArray(videos.state, ['encoding', 'encoded'])))
    .innerJoin(sessions, and(eq(sessions.id, videos.sessionId), isHeard(tx, audioRenditions.videoId)))
    .where(sql`${audioRenditions.isFresh}`)
    .limit(batchRows)
    .for('no key update', { of: sessions, skipLocked: true })
  if (fresh.length === 0) return 0
  const seen = fresh.map(({ videoId }) => videoId)
  await tx.update(audioRenditions).set({ isFresh: false }).where(inArray(audioRenditions.videoId, seen))
  const due = transcribes ? fresh.filter(({ scriptVersionId }) => scriptVersionId === null) : []
  for (const { videoId, sessionId } of due) {
    await tx.update(sessions).set({ scriptStateId: State.READY }).where(eq(sessions.id, sessionId))
    await announce(tx, 'transcribe-video', { video_id: videoId })
  }
  return due.length
}

/** The session without a script that waits for a transcript of this video. */
const waiting = (db: Pick<Database, 'select'>, videoId: number) =>
  and(
    inArray(sessions.id, db.select({ id: videos.sessionId }).from(videos).where(eq(videos.id, videoId))),
    isHeard(db, videoId),
    unwritten,
  )

/** Seconds of the encoded sound of a video, which may be longer than its picture. */
const heardSeconds = sql`(select sum((segment ->> 0)::float8)
  from ${chunkFiles} join ${chunks} on ${chunks.id} = ${chunkFiles.chunkId}, jsonb_array_elements(segments) segment
  where ${chunks.videoId} = ${audioRenditions.videoId} and ${chunkFiles.rung} = 'sound')`

/**
 * Begins the transcript of a video, and tells the audit trail that it is handed to the transcriber; undefined when the session has a
 * script or a newer video, or was deleted.
 */
export const claimTranscript = (db: Database, videoId: number) =>
  db.transaction(async (tx) => {
    const [session] = await tx
      .update(sessions)
      .set({ scriptStateId: State.START })
      .where(waiting(db, videoId))
      .returning({ sessionId: sessions.id, caseId: sessions.caseId })
    if (!session) return undefined
    const [audio] = await tx
      .select({
        userId: cases.userId,
        path: audioRenditions.path,
        size: audioRenditions.size,
        etag: audioRenditions.etag,
        seconds: sql<number>`coalesce(${renditions.durationMs} / 1000.0, greatest(${encodePlans.seconds}, ${heardSeconds}))::float8`,
      })
      .from(audioRenditions)
      .leftJoin(renditions, eq(renditions.videoId, audioRenditions.videoId))
      .leftJoin(encodePlans, eq(encodePlans.videoId, audioRenditions.videoId))
      .innerJoin(cases, eq(cases.id, session.caseId))
      .where(eq(audioRenditions.videoId, videoId))
    if (!audio) return undefined
    await auditHandover(tx, { ...session, kind: 'video', version: videoId })
    return { ...session, ...audio }
  })

/** Whether a transcript of this video is still needed. Locks its session until the transaction ends. */
export async function isAwaited(tx: Transaction, videoId: number): Promise<boolean> {
  const rows = await tx.select({ id: sessions.id }).from(sessions).where(waiting(tx, videoId)).for('no key update')
  return rows.length > 0
}

/**
 * Ends a transcript without a script: with ERROR if it failed, otherwise with NONE, because no transcriber is configured.
 * False when the transcript is no longer awaited.
 */
export async function endTranscript(db: Database, videoId: number, how: 'failed' | 'off'): Promise<boolean> {
  const ended = await db
    .update(sessions)
    .set({ scriptStateId: how === 'failed' ? State.ERROR : State.NONE })
    .where(and(waiting(db, videoId), inArray(sessions.scriptStateId, [State.READY, State.START])))
    .returning({ id: sessions.id })
  return ended.length > 0
}

/** An old recording that is encoded again is no news. A job is retried for less than this. */
const isNew = sql`${renditions.createdAt} > now() - interval '2 hours'`

/**
 * The session without a script that has begun to play this video; undefined when there is none, or when a transcriber is going to write
 * its script, because the video has sound.
 */
export async function sessionToStart(db: Database, videoId: number, transcribes: boolean) {
  const sound = db
    .select({ id: audioRenditions.videoId })
    .from(audioRenditions)
    .where(eq(audioRenditions.videoId, videoId))
  const [session] = await db
    .select({ sessionId: sessions.id, caseId: sessions.caseId, userId: cases.userId })
    .from(sessions)
    .innerJoin(cases, eq(cases.id, sessions.caseId))
    .innerJoin(
      renditions,
      // No index has the pointers of sessions: the session is found by its rendition.
      and(
        eq(renditions.sessionId, sessions.id),
        eq(renditions.id, sessions.renditionId),
        eq(renditions.videoId, videoId),
        isNew,
      ),
    )
    .where(and(unwritten, transcribes ? notExists(sound) : undefined))
  return session
}
