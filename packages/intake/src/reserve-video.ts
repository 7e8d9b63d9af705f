import { sessions, type Transaction, videos } from '@playtherapy/schema'
import { eq, type SQL, sql } from 'drizzle-orm'
import { SessionGoneError } from './errors.ts'

interface NewVideo {
  sessionId: number
  state: 'receiving' | 'presigned'
  pathOf(videoId: number): string
  fileName?: string | null
  leaseUntil?: SQL
}

/** Takes the next id and writes the row, whose path holds that id. Throws SessionGoneError without its session. */
export async function reserveVideo(
  tx: Transaction,
  { sessionId, state, pathOf, fileName = null, leaseUntil }: NewVideo,
): Promise<{ id: number; path: string }> {
  const session = eq(sessions.id, sessionId)
  const [found] = await tx.select({ id: sessions.id }).from(sessions).where(session).for('key share')
  if (!found) throw new SessionGoneError()
  const [next] = await tx.execute<{ id: number }>(sql`select nextval('videos_id_seq')::int4 as id`)
  if (!next) throw new Error('no video id')
  const video = { id: next.id, path: pathOf(next.id) }
  await tx.insert(videos).values({ ...video, sessionId, state, fileName, leaseUntil: leaseUntil ?? null })
  return video
}
