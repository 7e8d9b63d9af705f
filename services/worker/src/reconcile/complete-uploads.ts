import {
  createCompletion,
  SessionDeletedError,
  UploadExpiredError,
  UploadHeldError,
  UploadMissingError,
  UploadRefusedError,
} from '@playtherapy/intake'
import type { ObjectStore } from '@playtherapy/object-store'
import { type Database, tusUploads, videos } from '@playtherapy/schema'
import { and, eq, gt, sql } from 'drizzle-orm'

/** Uploads in one round, and how many of them are completed at once: a store may need minutes to join the parts of one. */
const [batchRows, atOnce] = [100, 4]

/** How an upload ends, besides, while several processes and its client work on it. The client is told by its next request. */
const ordinary = [SessionDeletedError, UploadExpiredError, UploadHeldError, UploadMissingError, UploadRefusedError]

/**
 * Returns a round that completes uploads by tus of which every byte is durable, and that no request writes: their process died
 * before it registered the recording, and the client may never come back. Several processes may do it at once, also beside
 * the client. When the signal fires, it begins no other. Resolves to the number of those that are complete; rejects with the first
 * failure after it has tried all.
 */
export function createCompleter({ db, store }: { db: Database; store: ObjectStore }) {
  const complete = createCompletion({ db, store })
  return async (signal: AbortSignal): Promise<number> => {
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
    let completed = 0
    const next = whole.values()
    const completeSome = async () => {
      for (const upload of next) {
        if (signal.aborted) return
        try {
          await complete(upload, signal)
          completed++
        } catch (error) {
          if (!ordinary.some((kind) => error instanceof kind)) failures.push(error)
        }
      }
    }
    await Promise.all(Array.from({ length: atOnce }, completeSome))
    if (failures.length > 0) throw failures[0]
    return completed
  }
}
