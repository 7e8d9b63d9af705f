import { type ObjectStore, type Phase, prefixesOf, runAll } from '@playtherapy/object-store'
import { type Database, erasures, lastSweepSeconds } from '@playtherapy/schema'
import { eq, sql } from 'drizzle-orm'

/** Objects removed with one call; S3's own limit. */
const batchKeys = 1_000
/** A run that comes a little early is the last one all the same. */
const marginSeconds = 3_600

/**
 * The job of a deleted case, session or video: it removes all its objects and unfinished uploads. It runs at once, and again a
 * day later, when presigned URLs have expired and older uploads have ended; that run removes the row in `erasures`. It may
 * be repeated.
 */
export function createErase({ db, store, phase }: { db: Database; store: ObjectStore; phase: Phase }) {
  return async ({ erasure_id }: { erasure_id: number }): Promise<void> => {
    const [erasure] = await db
      .select({
        caseId: erasures.caseId,
        sessionId: erasures.sessionId,
        videoId: erasures.videoId,
        last: sql<boolean>`${erasures.createdAt} < now() - make_interval(secs => ${lastSweepSeconds - marginSeconds})`,
      })
      .from(erasures)
      .where(eq(erasures.id, erasure_id))
    if (!erasure) return
    const { caseId, sessionId, videoId } = erasure
    await removeBelow(store, prefixesOf(phase, caseId, sessionId, videoId))
    if (erasure.last) await db.delete(erasures).where(eq(erasures.id, erasure_id))
  }
}

/**
 * Removes all objects and unfinished uploads whose keys begin with one of these prefixes. Rejects with the first failure after it has
 * tried all.
 */
export async function removeBelow(store: ObjectStore, prefixes: string[]): Promise<void> {
  await runAll(
    (async function* () {
      for (const prefix of prefixes) {
        yield () => store.abortUploads(prefix)
        let keys: string[] = []
        for await (const { key } of store.list(prefix)) {
          keys.push(key)
          if (keys.length < batchKeys) continue
          const full = keys
          keys = []
          yield () => store.delete(full)
        }
        yield () => store.delete(keys)
      }
    })(),
  )
}
