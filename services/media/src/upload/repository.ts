import { type Database, ownSession, type SessionOfCaller, sessions, videos } from '@playtherapy/schema'
import { and, desc, eq, ne } from 'drizzle-orm'

/** The newest recording of the caller's session; URLs given out and not yet used do not count. */
export async function newestVideo(db: Database, caller: SessionOfCaller) {
  const [video] = await db
    .select({
      state: videos.state,
      progress: videos.progress,
      failure: videos.failure,
      file_name: videos.fileName,
      size: videos.size,
    })
    .from(videos)
    .innerJoin(sessions, eq(sessions.id, videos.sessionId))
    .where(and(ownSession(caller), ne(videos.state, 'presigned')))
    .orderBy(desc(videos.id))
    .limit(1)
  return video
}
