import { inFolder, type ObjectStore } from '@playtherapy/object-store'
import { type Database, videos } from '@playtherapy/schema'
import { and, eq, isNull } from 'drizzle-orm'

/** Why a swept row says it failed, in the moment between its end and its removal. */
const neverAnnounced = 'The upload was never completed.'

/**
 * The job that removes a presigned upload nobody announced: first the row becomes one that can no longer be announced,
 * then the object goes, then the row. Safe to repeat at any point; does nothing to a video that was announced.
 */
export function createSweepPresigned({ db, store }: { db: Database; store: ObjectStore }) {
  return async ({ video_id }: { video_id: number }): Promise<void> => {
    await db
      .update(videos)
      .set({ state: 'failed', failure: neverAnnounced })
      .where(and(eq(videos.id, video_id), eq(videos.state, 'presigned')))
    const swept = and(eq(videos.id, video_id), eq(videos.state, 'failed'), isNull(videos.storedAt))
    const [row] = await db.select({ path: videos.path }).from(videos).where(swept)
    if (!row) return
    const key = inFolder('video', row.path)
    await store.abortUploads(key)
    await store.delete([key])
    await db.delete(videos).where(swept)
  }
}
