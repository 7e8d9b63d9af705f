import { inFolder, type ObjectStore } from '@playtherapy/object-store'
import { type Database, videos } from '@playtherapy/schema'
import { and, eq, isNull } from 'drizzle-orm'

/** The failure of a row until it is removed. */
const neverAnnounced = 'The upload was never completed.'

/**
 * The job that removes a presigned upload that the client never completed. First the row becomes failed, so that it can no
 * longer be completed, then the object is removed, then the row. It may be repeated.
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
