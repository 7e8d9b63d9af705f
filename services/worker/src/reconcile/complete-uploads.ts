import { createCompletion } from '@playtherapy/intake'
import type { ObjectStore } from '@playtherapy/object-store'
import { type Database, tusUploads, videos } from '@playtherapy/schema'
import { and, eq, gt, sql } from 'drizzle-orm'

/** Uploads in one round. */
const batchRows = 100

/**
 * Returns a round that completes uploads by tus of which every byte is durable, and that no request writes: their process died
 * before it registered the recording, and the client may never come back. Several processes may do it at once, also beside
 * the client. Resolves to their number; rejects with the first failure after it has tried all.
 */
export function createCompleter({ db, store }: { db: Database; store: ObjectStore }) {
  const complete = createCompletion({ db, store })
  return async (): Promise<number> => {
    const whole = await db
      .select({ sessionId: videos.sessionId, uploadId: tusUploads.id })
      .from(tusUploads)
      .innerJoin(videos, eq(videos.id, tusUploads.videoId))
      .where(
        and(
          // It is a literal, because it must match that of a partial index.
          sql`${videos.state} = 'receiving'`,
          sql`${tusUploads.length} = ${tusUploads.partsBytes} + ${tusUploads.tailBytes}`,
          sql`coalesce(${tusUploads.heldUntil} < now(), true)`,
          gt(tusUploads.expiresAt, sql`now()`),
        ),
      )
      // Uploads that fail again and again must not keep the others from being completed.
      .orderBy(sql`random()`)
      .limit(batchRows)
    const failures: unknown[] = []
    for (const upload of whole) await complete(upload).catch((error: unknown) => failures.push(error))
    if (failures.length > 0) throw failures[0]
    return whole.length
  }
}
