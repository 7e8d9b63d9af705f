import { inFolder, type ObjectStore } from '@playtherapy/object-store'
import { announce, type Database, videos } from '@playtherapy/schema'
import { and, eq, isNull, lt, or, sql } from 'drizzle-orm'

/** After this time an upload is looked at again that is just being announced. */
const laterSeconds = 3_600
/** The failure of a row until it is removed. */
const neverAnnounced = 'The upload was never completed.'

/**
 * The job of a presigned URL, a day after it was issued: it removes what PUTs to it brought and no announcement adopted,
 * and the row of an upload that was never announced. First that row becomes failed, so that it can no longer be announced.
 * It may be repeated.
 */
export function createSweepPresigned({ db, store }: { db: Database; store: ObjectStore }) {
  return async ({ video_id }: { video_id: number }): Promise<void> => {
    const waiting = and(eq(videos.id, video_id), eq(videos.state, 'presigned'))
    const isFree = or(isNull(videos.leaseUntil), lt(videos.leaseUntil, sql`now()`))
    await db.update(videos).set({ state: 'failed', failure: neverAnnounced }).where(and(waiting, isFree))
    // An announcement is in its copy; it may still fail.
    if ((await db.$count(videos, waiting)) > 0) {
      return announce(db, 'sweep-presigned', { video_id }, { delaySeconds: laterSeconds })
    }
    const [video] = await db.select({ path: videos.path }).from(videos).where(eq(videos.id, video_id))
    if (!video) return
    const key = inFolder('video', video.path)
    await store.abortUploads(key)
    const swept = and(eq(videos.id, video_id), eq(videos.state, 'failed'), isNull(videos.storedAt))
    const [unused] = await db.select({ id: videos.id }).from(videos).where(swept)
    if (!unused) return
    // An announcement that failed in its last step may have left the object.
    await store.delete([key])
    await db.delete(videos).where(swept)
  }
}
