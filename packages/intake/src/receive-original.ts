import { inFolder, type ObjectStore, originalPath, type Phase, storeUnavailable } from '@playtherapy/object-store'
import { type Database, outlastOutage, videos } from '@playtherapy/schema'
import { and, eq, sql } from 'drizzle-orm'
import { EmptyError, SessionDeletedError, TooLargeError } from './errors.ts'
import { registerOriginal } from './register-original.ts'
import { nextVideo, reserveVideo } from './reserve-video.ts'
import { explain, sniff, sniffBytes } from './sniff.ts'

export interface IntakeResources {
  db: Database
  store: ObjectStore
  phase: Phase
}

export interface IncomingOriginal {
  caseId: number
  sessionId: number
  /** The client's name for the file; it is stored and never becomes part of a key. */
  fileName: string
  /** The file's bytes. It must not end before the whole message was valid to its end: its end completes the object. */
  body: AsyncIterable<Uint8Array>
  /** The most bytes that a recording may have. */
  limit: number
  /** Fires when the client has disconnected. */
  signal: AbortSignal
  requestId?: string
}

/** A row in state `receiving` may be removed when its lease has run out; the upload renews the lease until it ends. */
const leaseSeconds = 120
const renewMs = 15_000

const leaseUntil = sql`now() + make_interval(secs => ${leaseSeconds})`

/**
 * Streams a recording into the object store and registers it in the database. Resolves when that is durable. An upload
 * that fails leaves no object, no unfinished multipart upload and no row; if an outage prevents the cleanup, a worker
 * removes them when the row's lease has run out.
 * Throws EmptyError, NotAVideoError, TooLargeError, SessionDeletedError, StoreFailedError, and what `body` throws.
 */
export async function receiveOriginal(
  { db, store, phase }: IntakeResources,
  { caseId, sessionId, fileName, body, limit, signal, requestId }: IncomingOriginal,
): Promise<void> {
  const source = body[Symbol.asyncIterator]()
  const start = await firstBytes(source)
  if (start.length === 0) throw new EmptyError()
  const container = await sniff(start)
  if (!container) throw await explain(start)
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
      throw incoming.broken ? incoming.broken.error : storeUnavailable(cause)
    })
    signal.throwIfAborted()
  } catch (error) {
    const hadRow = await discard(store, key, db, video.id).catch(() => true)
    throw hadRow ? error : new SessionDeletedError()
  } finally {
    lease.end()
  }

  // If this fails, the commit may still have happened, so the object stays until the lease has run out.
  const original = { videoId: video.id, sessionId, container, requestId, ...stored }
  const { result, repeated } = await outlastOutage(() => registerOriginal(db, 'receiving', original))
  if (result || (repeated && (await isRegistered(db, video.id)))) return
  await store.delete([key])
  throw new SessionDeletedError()
}

/** Matches the row of a video while its original is received. */
const receiving = (videoId: number) => and(eq(videos.id, videoId), eq(videos.state, 'receiving'))

/** Renews the lease of a row until `end` is called; `lost` is aborted when the row was deleted. */
function keepLease(db: Database, videoId: number) {
  const lost = new AbortController()
  const renew = () => db.update(videos).set({ leaseUntil }).where(receiving(videoId)).returning({ id: videos.id })
  const timer = setInterval(() => {
    renew()
      .then((rows) => rows.length === 0 && lost.abort())
      // A database outage of some seconds should not abort an upload of hours.
      .catch(() => {})
  }, renewMs)
  return { lost: lost.signal, end: () => clearInterval(timer) }
}

/** Yields `start` and the rest of a body, and counts the bytes; `broken` holds the error that ended it, if any. */
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

/** Removes object and row of an upload that failed. Returns whether the row still existed. */
async function discard(store: ObjectStore, key: string, db: Database, videoId: number): Promise<boolean> {
  await store.delete([key])
  const rows = await db.delete(videos).where(receiving(videoId)).returning({ id: videos.id })
  return rows.length > 0
}

/** Returns whether an attempt whose response was lost registered the original; nothing else registers this video. */
async function isRegistered(db: Database, videoId: number): Promise<boolean> {
  const [row] = await db.select({ state: videos.state }).from(videos).where(eq(videos.id, videoId))
  return row !== undefined && row.state !== 'receiving'
}

/** Reads at least as many bytes as sniff() needs, or all if there are fewer. */
async function firstBytes(source: AsyncIterator<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let length = 0
  while (length < sniffBytes) {
    const { done, value } = await source.next()
    if (done) break
    chunks.push(value)
    length += value.length
  }
  return Buffer.concat(chunks)
}
