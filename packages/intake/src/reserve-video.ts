import { inFolder, type ObjectStore } from '@playtherapy/object-store'
import { type Database, sessions, type Transaction, videos } from '@playtherapy/schema'
import { eq, type SQL, sql } from 'drizzle-orm'
import { SessionGoneError, StoreFailedError } from './errors.ts'

/** Ids in a row whose keys may be taken before an upload is refused; the next upload goes on from there. */
const mostTaken = 50

interface FreeVideo {
  id: number
  path: string
}

interface NewVideo {
  sessionId: number
  state: 'receiving' | 'presigned'
  fileName?: string | null
  leaseUntil?: SQL
}

/**
 * Takes the next id under whose path nothing lies. A database restored from a backup gives out ids again that it had
 * given out after that backup, and objects are written once. Throws StoreFailedError.
 */
export async function nextVideo(
  { db, store }: { db: Database; store: ObjectStore },
  pathOf: (videoId: number) => string,
): Promise<FreeVideo> {
  for (let taken = 0; taken < mostTaken; taken++) {
    const [next] = await db.execute<{ id: number }>(sql`select nextval('videos_id_seq')::int4 as id`)
    if (!next) throw new Error('no video id')
    const path = pathOf(next.id)
    const found = await store.head(inFolder('video', path)).catch((error: unknown) => {
      throw new StoreFailedError('the object store did not answer', { cause: error })
    })
    if (!found) return { id: next.id, path }
  }
  throw new StoreFailedError(`${mostTaken} keys in a row are taken`)
}

/** Writes the row of a video that nextVideo() named. Throws SessionGoneError without its session. */
export async function reserveVideo(
  tx: Transaction,
  video: FreeVideo,
  { sessionId, state, fileName = null, leaseUntil }: NewVideo,
): Promise<void> {
  const session = eq(sessions.id, sessionId)
  const [found] = await tx.select({ id: sessions.id }).from(sessions).where(session).for('key share')
  if (!found) throw new SessionGoneError()
  await tx.insert(videos).values({ ...video, sessionId, state, fileName, leaseUntil: leaseUntil ?? null })
}
