import { inFolder, type ObjectStore, originalPath, type Phase, StoreFailedError } from '@playtherapy/object-store'
import { type Database, outlastOutage, videos } from '@playtherapy/schema'
import { and, eq, sql } from 'drizzle-orm'
import { EmptyError, NotAVideoError, SessionGoneError, TooLargeError } from './errors.ts'
import { registerOriginal } from './register-original.ts'
import { nextVideo, reserveVideo } from './reserve-video.ts'
import { sniff, sniffLength } from './sniff.ts'

export interface IntakeResources {
  db: Database
  store: ObjectStore
  phase: Phase
}

export interface IncomingOriginal {
  caseId: number
  sessionId: number
  /** What the client calls the file; kept as data. */
  fileName: string
  /** The file's bytes. It must not end before the message around them has ended well: its end makes the object. */
  body: AsyncIterable<Uint8Array>
  /** Most bytes of a recording. */
  limit: number
  /** Fires when the client has disconnected. */
  signal: AbortSignal
  requestId?: string
}

/** For how long a row that is receiving counts as alive, and how often that is renewed. */
const leaseSeconds = 120
const renewMs = 15_000

const leaseUntil = sql`now() + make_interval(secs => ${leaseSeconds})`

/**
 * Streams a recording into the object store and registers it: sniffs its first bytes, reserves a video row, counts the
 * bytes, renews the row's lease, and registers the original once the object is complete. Resolves when that is durable.
 * Otherwise nothing is left: no object, no unfinished upload, no row. Only what an outage of the database or the store
 * keeps from being undone stays behind, and is removed when the row's lease has run out.
 * Throws EmptyError, NotAVideoError, TooLargeError, SessionGoneError, StoreFailedError, and what `body` throws.
 */
export async function receiveOriginal(
  { db, store, phase }: IntakeResources,
  { caseId, sessionId, fileName, body, limit, signal, requestId }: IncomingOriginal,
): Promise<void> {
  const source = body[Symbol.asyncIterator]()
  const start = await firstBytes(source)
  if (start.length === 0) throw new EmptyError()
  const container = await sniff(start)
  if (!container) throw new NotAVideoError()
  if (start.length > limit) throw new TooLargeError(limit)

  const pathOf = (videoId: number) => originalPath(phase, caseId, sessionId, videoId)
  const video = await nextVideo({ db, store }, pathOf)
  await db.transaction((tx) => reserveVideo(tx, video, { sessionId, state: 'receiving', fileName, leaseUntil }))
  const key = inFolder('video', video.path)

  const lease = keepLease(db, video.id)
  let stored: { size: number; etag: string }
  try {
    const options = { contentType: 'video/mp4', signal: AbortSignal.any([signal, lease.lost]) }
    const incoming = countedBody(start, source, limit)
    stored = await store.put(key, incoming.bytes, options).catch((cause: unknown) => {
      throw incoming.broken ? incoming.broken.error : new StoreFailedError('the object store failed', { cause })
    })
    signal.throwIfAborted()
  } catch (error) {
    const rowWasThere = await discard(store, key, db, video.id).catch(() => true)
    throw rowWasThere ? error : new SessionGoneError()
  } finally {
    lease.end()
  }

  // If this fails nobody knows whether it took place, so the object stays until the lease has run out.
  const original = { videoId: video.id, sessionId, container, requestId, ...stored }
  const { result, repeated } = await outlastOutage(() => registerOriginal(db, 'receiving', original))
  if (result || (repeated && (await isRegistered(db, video.id)))) return
  await store.delete([key])
  throw new SessionGoneError()
}

/** The row of a video while its original is received. */
const receiving = (videoId: number) => and(eq(videos.id, videoId), eq(videos.state, 'receiving'))

/** Renews the lease of a row until `end` is called; `lost` fires when the row was deleted. */
function keepLease(db: Database, videoId: number) {
  const lost = new AbortController()
  const renew = () => db.update(videos).set({ leaseUntil }).where(receiving(videoId)).returning({ id: videos.id })
  const timer = setInterval(() => {
    renew()
      .then((rows) => rows.length === 0 && lost.abort())
      // A database that is down for a while is no reason to abort an upload of hours.
      .catch(() => {})
  }, renewMs)
  return { lost: lost.signal, end: () => clearInterval(timer) }
}

/** A body whose first bytes were read already, as the store is given it; `broken` is what it threw, if it did. */
function countedBody(start: Uint8Array, rest: AsyncIterator<Uint8Array>, limit: number) {
  const body: { bytes: AsyncIterable<Uint8Array>; broken?: { error: unknown } } = { bytes: counted() }
  async function* counted() {
    try {
      let size = start.length
      yield start
      for (let next = await rest.next(); !next.done; next = await rest.next()) {
        size += next.value.length
        if (size > limit) throw new TooLargeError(limit)
        yield next.value
      }
    } catch (error) {
      body.broken = { error }
      throw error
    }
  }
  return body
}

/** Removes object and row of an upload that failed. Returns whether the row was still there. */
async function discard(store: ObjectStore, key: string, db: Database, videoId: number): Promise<boolean> {
  await store.delete([key])
  const rows = await db.delete(videos).where(receiving(videoId)).returning({ id: videos.id })
  return rows.length > 0
}

/** Whether an attempt whose answer was lost has registered the original: nobody else can have. */
async function isRegistered(db: Database, videoId: number): Promise<boolean> {
  const [row] = await db.select({ state: videos.state }).from(videos).where(eq(videos.id, videoId))
  return row !== undefined && row.state !== 'receiving'
}

/** The first bytes, as many as are sniffed or all there are. */
async function firstBytes(source: AsyncIterator<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let length = 0
  while (length < sniffLength) {
    const { done, value } = await source.next()
    if (done) break
    chunks.push(value)
    length += value.length
  }
  return Buffer.concat(chunks)
}
