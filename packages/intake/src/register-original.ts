import { announce, State, sessions, type Transaction, videos } from '@playtherapy/schema'
import { and, eq, sql } from 'drizzle-orm'
import { SessionGoneError } from './errors.ts'
import type { Container } from './sniff.ts'

export interface DurableOriginal {
  videoId: number
  sessionId: number
  size: number
  etag: string
  container: Container
  requestId?: string
}

/**
 * Records, in the caller's transaction, that an original is durable: video stored, session's encoding READY, encode
 * announced. A newer video of the session may have overtaken it (the higher id is the newer): then it is superseded at
 * once. `from` is the state the row must be in. Throws SessionGoneError when row or session are no longer there.
 */
export async function registerOriginal(
  tx: Transaction,
  from: 'receiving' | 'presigned',
  { videoId, sessionId, size, etag, container, requestId }: DurableOriginal,
): Promise<void> {
  // The session first, as a deletion locks it: the other order could deadlock with it.
  const [session] = await tx
    .select({ videoId: sessions.videoId })
    .from(sessions)
    .where(eq(sessions.id, sessionId))
    .for('no key update')
  const newest = session !== undefined && (session.videoId ?? 0) < videoId
  const updated = await tx
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
  if (!session || updated.length === 0) throw new SessionGoneError()
  const request = requestId === undefined ? {} : { requestId }
  if (!newest) return announce(tx, 'delete-superseded', { session_id: sessionId }, request)
  await tx.update(sessions).set({ videoId, encodingStateId: State.READY }).where(eq(sessions.id, sessionId))
  await announce(tx, 'encode-video', { video_id: videoId }, request)
}
