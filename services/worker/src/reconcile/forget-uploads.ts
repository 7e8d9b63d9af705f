import { type Database, tusUploads, videos } from '@playtherapy/schema'
import { and, eq, inArray, isNotNull, sql } from 'drizzle-orm'

/** Rows removed in one round. */
const batchRows = 10_000

/** Removes complete uploads by tus that have expired; their recordings stay. Returns their number. */
export async function forgetUploads(db: Database): Promise<number> {
  const complete = db
    .select({ id: tusUploads.id })
    .from(tusUploads)
    .innerJoin(videos, eq(videos.id, tusUploads.videoId))
    .where(and(sql`${tusUploads.expiresAt} <= now()`, isNotNull(videos.storedAt)))
    .limit(batchRows)
  const removed = await db.delete(tusUploads).where(inArray(tusUploads.id, complete)).returning({ id: tusUploads.id })
  return removed.length
}
