import { type ObjectStore, type Phase, prefixesOf } from '@playtherapy/object-store'
import { type Database, erasures } from '@playtherapy/schema'
import { eq, sql } from 'drizzle-orm'

/** Objects removed with one call; S3's own limit. */
const batchSize = 1_000

/** Hours after which no URL given out before the deletion can still bring an object: see `announce` where it is written. */
const lastSweepHours = 25

/**
 * The job behind a deleted case or session: empties everything below it in the object store, unfinished uploads
 * included. It runs at once and again a day later, when presigned URLs have expired and uploads then in flight are
 * over; that last run removes the tombstone. Safe to repeat at any point.
 */
export function createErase({ db, store, phase }: { db: Database; store: ObjectStore; phase: Phase }) {
  return async ({ erasure_id }: { erasure_id: number }): Promise<void> => {
    const [tombstone] = await db
      .select({
        caseId: erasures.caseId,
        sessionId: erasures.sessionId,
        last: sql<boolean>`${erasures.createdAt} < now() - make_interval(hours => ${lastSweepHours - 1})`,
      })
      .from(erasures)
      .where(eq(erasures.id, erasure_id))
    if (!tombstone) return
    for (const prefix of prefixesOf(phase, tombstone.caseId, tombstone.sessionId)) await empty(store, prefix)
    if (tombstone.last) await db.delete(erasures).where(eq(erasures.id, erasure_id))
  }
}

async function empty(store: ObjectStore, prefix: string): Promise<void> {
  await store.abortUploads(prefix)
  let keys: string[] = []
  for await (const { key } of store.list(prefix)) {
    keys.push(key)
    if (keys.length < batchSize) continue
    await store.delete(keys)
    keys = []
  }
  if (keys.length > 0) await store.delete(keys)
}
