import { type Database, ownSession, type SessionOfCaller, sessions, videos } from '@playtherapy/schema'
import { and, desc, eq, ne } from 'drizzle-orm'

/** Selects the newest recording of the caller's session, without unused presigned URLs. */
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
