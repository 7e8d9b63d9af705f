import { inFolder, type ObjectStore } from '@playtherapy/object-store'
import { audioRenditions, type Database, renditions, sessions, videos } from '@playtherapy/schema'
import { and, eq, inArray, lt } from 'drizzle-orm'

/**
 * The job that removes videos after a newer one is encoded, except running uploads. It removes the objects before the row,
 * so that it finds them again after a crash.
 */
export function createDeleteSuperseded({ db, store }: { db: Database; store: ObjectStore }) {
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
      .select({ id: videos.id, original: videos.path, rendition: renditions.path, audio: audioRenditions.path })
      .from(videos)
      .leftJoin(renditions, eq(renditions.videoId, videos.id))
      .leftJoin(audioRenditions, eq(audioRenditions.videoId, videos.id))
      .where(replaced)
    for (const { id, original, rendition, audio } of rows) {
      const paths = [original, rendition, audio].filter((path) => path !== null)
      await store.delete(paths.map((path) => inFolder('video', path)))
      await db.delete(videos).where(eq(videos.id, id))
    }
  }
}
