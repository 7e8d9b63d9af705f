import {
  inFolder,
  type ObjectStore,
  originalPath,
  type Phase,
  StoreFailedError,
  StoreSilentError,
  storeUnavailable,
} from '@playtherapy/object-store'
import { type Cause, type Database, failures, outlastOutage, videos } from '@playtherapy/schema'
import { untraced } from '@playtherapy/tracing'
import { and, eq, inArray, isNull, lt, sql } from 'drizzle-orm'
import { EmptyError, TooLargeError } from './errors.ts'
import { deletion, isRegistered, registerOriginal } from './register-original.ts'
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
  cause: Cause
}

/** A row in state `receiving` counts as dead when its lease has run out; the upload renews the lease until it ends. */
const leaseSeconds = 120
/** Pause between two renewals, which also write how many bytes have arrived. */
const renewMs = 1_000

const leaseUntil = sql`now() + make_interval(secs => ${leaseSeconds})`

/**
 * Streams a recording into the object store and registers it in the database. Resolves when that is durable. An upload
 * that fails leaves no object and no unfinished multipart upload; its row tells for an hour that it failed. If an outage
 * prevents the cleanup, a worker does it when the row's lease has run out. Throws EmptyError, NotAVideoError,
 * TooLargeError, SessionDeletedError, VideoDeletedError, StoreFailedError, and what `body` throws.
 */
export async function receiveOriginal(
  { db, store, phase }: IntakeResources,
  { caseId, sessionId, fileName, body, limit, signal, cause }: IncomingOriginal,
): Promise<void> {
  const source = body[Symbol.asyncIterator]()
  const start = await firstBytes(source)
  if (start.length === 0) throw new EmptyError()
  const container = await sniff(start)
  if (!container) throw await explain(start)
  if (start.length > limit) throw new TooLargeError(limit)

  const pathOf = (videoId: number) => originalPath(phase, caseId, sessionId, videoId)
  const video = await nextVideo({ db, store }, pathOf)
  const received = start.length
  await db.transaction((tx) =>
    reserveVideo(tx, video, { sessionId, state: 'receiving', cause, fileName, leaseUntil, received }),
  )
  const key = inFolder('video', video.path)

  const incoming = countedBody(start, source, limit)
  const lease = keepLease(db, video.id, incoming)
  let stored: { size: number; etag: string }
  try {
    const options = { contentType: 'video/mp4', signal: AbortSignal.any([signal, lease.lost]) }
    stored = await store.put(key, incoming.bytes, options).catch((cause: unknown) => {
      throw incoming.broken ? incoming.broken.error : storeUnavailable(cause)
    })
    signal.throwIfAborted()
  } catch (error) {
    // A store that is stopped by the client's disconnect has not failed.
    const failure = failureOf(signal.aborted ? signal.reason : error)
    // A store that hangs would keep the client waiting; the worker removes what is left.
    const hangs = error instanceof StoreFailedError && error.cause instanceof StoreSilentError
    const hadRow = hangs || (await discard(store, key, db, video.id, incoming.received, failure).catch(() => true))
    throw hadRow ? error : await deletion(db, sessionId)
  } finally {
    lease.end()
  }

  // If this fails, the commit may still have happened, so the object stays until the lease has run out.
  const original = { videoId: video.id, sessionId, container, cause, ...stored }
  const { result, repeated } = await outlastOutage(() => registerOriginal(db, 'receiving', original))
  if (result || (repeated && (await isRegistered(db, video.id)))) return
  await store.delete([key])
  // The reaper ended it when its lease ran out in an outage.
  if ((await db.$count(videos, eq(videos.id, video.id))) > 0) throw storeUnavailable(new Error('the lease ran out'))
  throw await deletion(db, sessionId)
}

/** Why an upload failed, for people to read. */
function failureOf(error: unknown): string {
  if (error instanceof TooLargeError) return `${failures.too_large} ${error.limit} bytes.`
  if (error instanceof StoreFailedError) return `${failures.not_stored} Please upload it again.`
  return `${failures.broken_off} Please upload it again.`
}

/** Matches the row of a video while its original is received. */
const receiving = (videoId: number) => and(eq(videos.id, videoId), eq(videos.state, 'receiving'))

/** Renews the lease of a row, and its bytes, until `end` is called; `lost` is aborted when the row was deleted. */
function keepLease(db: Database, videoId: number, incoming: Pick<CountedBody, 'received'>) {
  const lost = new AbortController()
  // A statement of the query builder begins when it is awaited.
  const renew = async () =>
    await db
      .update(videos)
      .set({ leaseUntil, received: incoming.received })
      .where(receiving(videoId))
      .returning({ id: videos.id })
  let isRenewing = false
  const timer = setInterval(async () => {
    // In a slow database, the renewals of one upload would queue up.
    if (isRenewing) return
    isRenewing = true
    // A database outage of some seconds should not abort an upload of hours.
    const rows = await untraced(renew).catch(() => undefined)
    isRenewing = false
    if (rows?.length === 0) lost.abort()
  }, renewMs)
  return { lost: lost.signal, end: () => clearInterval(timer) }
}

interface CountedBody {
  bytes: AsyncIterable<Uint8Array>
  /** Bytes that were read. */
  received: number
  /** The error that ended the body, if any. */
  broken?: { error: unknown }
}

/** Yields `start` and the rest of a body, and counts the bytes. */
function countedBody(start: Uint8Array, rest: AsyncIterator<Uint8Array>, limit: number): CountedBody {
  const body: CountedBody = { bytes: counted(), received: start.length }
  async function* counted() {
    try {
      yield start
      for (let next = await rest.next(); !next.done; next = await rest.next()) {
        body.received += next.value.length
        if (body.received > limit) throw new TooLargeError(limit)
        yield next.value
      }
    } catch (error) {
      body.broken = { error }
      throw error
    }
  }
  return body
}

/**
 * Removes the object of an upload that failed, and records the failure instead of an earlier one of the same session, so
 * that a client that fails again and again leaves one row. Returns whether the row still existed.
 */
async function discard(
  store: ObjectStore,
  key: string,
  db: Database,
  videoId: number,
  received: number,
  failure: string,
): Promise<boolean> {
  await store.delete([key])
  const [row] = await db
    .update(videos)
    .set({ state: 'failed', failure, received, leaseUntil: sql`now()` })
    // The reaper may have failed the row already, when its lease ran out in an outage.
    .where(and(eq(videos.id, videoId), inArray(videos.state, ['receiving', 'failed'])))
    .returning({ sessionId: videos.sessionId })
  if (!row) return false
  const failed = and(eq(videos.state, 'failed'), isNull(videos.storedAt))
  const earlier = and(eq(videos.sessionId, row.sessionId), lt(videos.id, videoId), failed)
  // Two uploads that fail at once do not wait for each other.
  const free = db.select({ id: videos.id }).from(videos).where(earlier).for('update', { skipLocked: true })
  await db.delete(videos).where(inArray(videos.id, free))
  return true
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
