import { inFolder, type ObjectStore } from '@playtherapy/object-store'
import { type Database, tusUploads, videos } from '@playtherapy/schema'
import { and, eq, inArray, isNotNull, sql } from 'drizzle-orm'

/** Rows removed in one round. */
const batchRows = 100

/**
 * Removes complete uploads by tus that have expired, and what requests left in the store that failed or came late; their recordings
 * stay. Several processes may do it at once. Returns their number; rejects with the first failure of the store after it has tried
 * all. What failed is tried again in a later round.
 */
export async function forgetUploads({ db, store }: { db: Database; store: ObjectStore }): Promise<number> {
  const complete = await db
    .select({ id: tusUploads.id, path: videos.path })
    .from(tusUploads)
    .innerJoin(videos, eq(videos.id, tusUploads.videoId))
    .where(and(sql`${tusUploads.expiresAt} <= now()`, isNotNull(videos.storedAt)))
    // Uploads that fail again and again must not keep the others from being removed.
    .orderBy(sql`random()`)
    .limit(batchRows)
  const failures: unknown[] = []
  const ids: string[] = []
  for (const { id, path } of complete) {
    await store.abortUploads(inFolder('video', path)).then(
      () => ids.push(id),
      (error: unknown) => failures.push(error),
    )
  }
  const removed = await db.delete(tusUploads).where(inArray(tusUploads.id, ids)).returning({ id: tusUploads.id })
  if (failures.length > 0) throw failures[0]
  return removed.length
}
