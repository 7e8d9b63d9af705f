import { announce, State, sessions, type Transaction, videos } from '@playtherapy/schema'
import { and, eq, sql } from 'drizzle-orm'
import type { Container } from './sniff.ts'

export interface DurableOriginal {
  videoId: number
  sessionId: number
  size: number
  etag: string
  container: Container
  requestId: string | undefined
}

/**
 * Records, in the caller's transaction, that an original is durable: video stored, session's encoding READY, encode
 * announced. A newer video of the session may have overtaken it (the higher id is the newer): then it is superseded at
 * once. False, and nothing changed, when there is no such video in state `from` any more: its session was deleted, or
 * somebody else registered it first.
 */
export async function registerOriginal(
  tx: Transaction,
  from: 'receiving' | 'presigned',
  { videoId, sessionId, size, etag, container, requestId }: DurableOriginal,
): Promise<boolean> {
  // The session first, as a deletion locks it: the other order could deadlock with it.
  const [session] = await tx
    .select({ videoId: sessions.videoId })
    .from(sessions)
    .where(eq(sessions.id, sessionId))
    .for('no key update')
  if (!session) return false
  const newest = (session.videoId ?? 0) < videoId
  const registered = await tx
    .update(videos)
    .set({
      state: newest ? 'stored' : 'superseded',
      size,
      etag,
      container,
      storedAt: sql`now()`,
      leaseUntil: null,
    })
    .where(and(eq(videos.id, videoId), eq(videos.sessionId, sessionId), eq(videos.state, from)))
    .returning({ id: videos.id })
  if (registered.length === 0) return false
  const request = requestId === undefined ? {} : { requestId }
  if (newest) {
    await tx.update(sessions).set({ videoId, encodingStateId: State.READY }).where(eq(sessions.id, sessionId))
    await announce(tx, 'encode-video', { video_id: videoId }, request)
  } else {
    await announce(tx, 'delete-superseded', { session_id: sessionId }, request)
  }
  return true
}
