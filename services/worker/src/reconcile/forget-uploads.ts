import { inFolder, type ObjectStore } from '@playtherapy/object-store'
import { type Database, tusUploads, videos } from '@playtherapy/schema'
import { and, eq, inArray, isNotNull, sql } from 'drizzle-orm'

/** Rows removed in one round. */
const batchRows = 100

/**
 * Removes complete uploads by tus that have expired, and what requests left in the store that failed or came late; their recordings
 * stay. Several processes may do it at once. Returns their number.
 */
export async function forgetUploads({ db, store }: { db: Database; store: ObjectStore }): Promise<number> {
  const complete = await db
    .select({ id: tusUploads.id, path: videos.path })
    .from(tusUploads)
    .innerJoin(videos, eq(videos.id, tusUploads.videoId))
    .where(and(sql`${tusUploads.expiresAt} <= now()`, isNotNull(videos.storedAt)))
    .limit(batchRows)
  for (const { path } of complete) await store.abortUploads(inFolder('video', path))
  const ids = complete.map(({ id }) => id)
  const removed = await db.delete(tusUploads).where(inArray(tusUploads.id, ids)).returning({ id: tusUploads.id })
  return removed.length
}
