import { announceEach, type Database, encodePlans, sessions, videos } from '@playtherapy/schema'
import { and, asc, eq, gt, notExists } from 'drizzle-orm'
import { jobsOfEncode } from '../encode/video-repository.ts'

/** Videos that are announced by one statement. */
const batchRows = 1_000

/**
 * Announces the encode of every current recording that an older release encoded in one piece, so that it gets what it lacks:
 * rungs for HLS, poster and storyboard. It plays meanwhile. Those with a job are left out, also with one that was given up,
 * which is for `retry`; so it may be repeated. Returns the number of jobs, and tells it after each batch.
 */
export async function encodeAgain(db: Database, onBatch: (announced: number) => void): Promise<number> {
  let announced = 0
  let last = 0
  const plan = db.select({ id: encodePlans.videoId }).from(encodePlans).where(eq(encodePlans.videoId, videos.id))
  for (;;) {
    const rows = await db
      .select({ id: videos.id })
      .from(videos)
      .innerJoin(sessions, and(eq(sessions.id, videos.sessionId), eq(sessions.videoId, videos.id)))
      .where(and(eq(videos.state, 'encoded'), gt(videos.id, last), notExists(plan), notExists(jobsOfEncode(db))))
      .orderBy(asc(videos.id))
      .limit(batchRows)
    const newest = rows.at(-1)
    if (!newest) return announced
    last = newest.id
    await announceEach(
      db,
      'encode-video',
      rows.map(({ id }) => ({ video_id: id })),
    )
    announced += rows.length
    onBatch(announced)
  }
}
