import { inFolder, type ObjectStore, storeUnavailable } from '@playtherapy/object-store'
import { because, type Cause, type Database, sessions, type Transaction, videos } from '@playtherapy/schema'
import { and, eq, type SQL, sql } from 'drizzle-orm'
import { SessionDeletedError } from './errors.ts'

interface NamedVideo {
  id: number
  path: string
}

interface NewVideo {
  sessionId: number
  state: 'receiving' | 'presigned'
  cause: Cause
  fileName?: string | null
  leaseUntil?: SQL
  /** Bytes that have arrived; null while there are none. */
  received?: number
}

/**
 * Returns the next id with a path that was never used: a database restored from a backup gives out some ids again, but
 * paths have a random part. Throws StoreFailedError when the store is down, before there is a row.
 */
export async function nextVideo(
  { db, store }: { db: Database; store: Pick<ObjectStore, 'head'> },
  pathOf: (videoId: number) => string,
): Promise<NamedVideo> {
  const [next] = await db.execute<{ id: number }>(sql`select nextval('videos_id_seq')::int4 as id`)
  if (!next) throw new Error('no video id')
  const path = pathOf(next.id)
  await store.head(inFolder('video', path)).catch((error: unknown) => {
    throw storeUnavailable(error)
  })
  return { id: next.id, path }
}

/** Inserts the row of a video that nextVideo() named. Locks the session; throws SessionDeletedError if it has none. */
export async function reserveVideo(
  tx: Transaction,
  video: NamedVideo,
  { sessionId, state, cause, fileName = null, leaseUntil, received }: NewVideo,
): Promise<void> {
  const session = and(eq(sessions.id, sessionId), because(cause))
  const [found] = await tx.select({ id: sessions.id }).from(sessions).where(session).for('key share')
  if (!found) throw new SessionDeletedError()
  await tx
    .insert(videos)
    .values({ ...video, sessionId, state, fileName, leaseUntil: leaseUntil ?? null, received: received ?? null })
}
