import { type ObjectStore, type Phase, prefixesOf } from '@playtherapy/object-store'
import { type Database, encodePlans, previews, renditions, sessions, videos } from '@playtherapy/schema'
import { and, eq, inArray, lt } from 'drizzle-orm'
import { removeBelow } from '../erase/removal.ts'

/**
 * The job that removes videos after a newer one is encoded, except running uploads. First it ends the links to a video, which
 * need its plan and previews, so that they find nothing rather than lost objects. It removes all objects of a video before its
 * row, so that it finds them again after a crash.
 */
export function createDeleteSuperseded({ db, store, phase }: { db: Database; store: ObjectStore; phase: Phase }) {
  return async ({ session_id }: { session_id: number }): Promise<void> => {
    const playing = db
      .select({ videoId: renditions.videoId })
      .from(sessions)
      .innerJoin(renditions, eq(renditions.id, sessions.renditionId))
      .where(eq(sessions.id, session_id))
    const replaced = and(
      eq(videos.sessionId, session_id),
      lt(videos.id, playing),
      inArray(videos.state, ['encoded', 'superseded', 'failed', 'stored']),
    )
    const rows = await db
      .select({ videoId: videos.id, caseId: sessions.caseId })
      .from(videos)
      .innerJoin(sessions, eq(sessions.id, videos.sessionId))
      .where(replaced)
    for (const { videoId, caseId } of rows) {
      await db.delete(encodePlans).where(eq(encodePlans.videoId, videoId))
      await db.delete(previews).where(eq(previews.videoId, videoId))
      await removeBelow(store, prefixesOf(phase, caseId, session_id, videoId))
      await db.delete(videos).where(eq(videos.id, videoId))
    }
  }
}
