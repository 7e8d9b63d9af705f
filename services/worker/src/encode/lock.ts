import { announce, type chunks, sessions, type Transaction, videos } from '@playtherapy/schema'
import { and, eq, inArray, sql } from 'drizzle-orm'

/** Seconds of a lease, which is renewed each second. The work of a crashed worker begins again after it. */
const leaseSeconds = 30

export const leaseUntil = sql`now() + make_interval(secs => ${leaseSeconds})`

/** Milliseconds until a lease ends; not above 0 where there is none. */
export const leftOf = (column: typeof videos.leaseUntil | typeof chunks.leaseUntil) =>
  sql<number>`coalesce(extract(epoch from ${column} - now()) * 1000, 0)::float8`

/** Locks the session and then the video, as a deletion does; undefined when they were deleted. */
export async function lockVideo(tx: Transaction, videoId: number) {
  const [session] = await tx
    .select({ id: sessions.id, videoId: sessions.videoId, caseId: sessions.caseId })
    .from(sessions)
    .where(inArray(sessions.id, tx.select({ id: videos.sessionId }).from(videos).where(eq(videos.id, videoId))))
    .for('no key update')
  if (!session) return undefined
  const [video] = await tx
    .select({
      state: videos.state,
      path: videos.path,
      size: videos.size,
      etag: videos.etag,
      container: videos.container,
      attempt: videos.attempt,
      leaseMs: leftOf(videos.leaseUntil),
    })
    .from(videos)
    .where(eq(videos.id, videoId))
    .for('no key update')
  return video && { session, video, isCurrent: session.videoId === videoId }
}

/** Ends the encode of a video that a newer one has replaced, and announces its removal. The session must be locked. */
async function supersede(tx: Transaction, sessionId: number, videoId: number): Promise<void> {
  const unfinished = inArray(videos.state, ['stored', 'encoding'])
  const ended = await tx
    .update(videos)
    .set({ state: 'superseded', leaseUntil: null })
    .where(and(eq(videos.id, videoId), unfinished))
    .returning({ id: videos.id })
  if (ended.length > 0) await announce(tx, 'delete-superseded', { session_id: sessionId })
}

/**
 * Locks the session and then the video, for work on the session's current one. Undefined when they were deleted, or when a
 * newer video has replaced this one, whose encode ends then.
 */
export async function lockCurrent(tx: Transaction, videoId: number) {
  const locked = await lockVideo(tx, videoId)
  if (!locked || locked.isCurrent) return locked
  await supersede(tx, locked.session.id, videoId)
  return undefined
}
