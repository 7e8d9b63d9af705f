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
  body: AsyncIterable<Uint8Array>
  /** Resolves once the message around `body` has ended as it should; what it throws undoes everything. */
  ended(): Promise<void>
  /** Most bytes taken. */
  limit: number
  /** Fires when the client is gone. */
  signal: AbortSignal
  requestId?: string
}

/** How long a row that is receiving counts as alive, and how often that is renewed. */
const leaseSeconds = 120
const renewMs = 15_000

const leaseUntil = sql`now() + make_interval(secs => ${leaseSeconds})`

/**
 * Streams a recording into the object store and makes it count: looks at its first bytes, takes a video row, counts
 * what passes, keeps the row's lease, and registers the original once the whole message has ended well. Resolves when
 * that is durable. Otherwise nothing is left: no object, no unfinished upload, no row. Only what a database or store
 * that is down itself keeps from being undone stays behind; the row's lease gives it away.
 * Throws EmptyError, NotAVideoError, TooLargeError, SessionGoneError, StoreFailedError, and what `body` and `ended`
 * throw.
 */
export async function receiveOriginal(
  { db, store, phase }: IntakeResources,
  { caseId, sessionId, fileName, body, ended, limit, signal, requestId }: IncomingOriginal,
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
  const mine = and(eq(videos.id, video.id), eq(videos.state, 'receiving'))

  const sessionGone = new AbortController()
  const lease = setInterval(() => {
    db.update(videos)
      .set({ leaseUntil })
      .where(mine)
      .returning({ id: videos.id })
      .then((rows) => rows.length === 0 && sessionGone.abort())
      // A database that is away for a while is no reason to break off an upload of hours.
      .catch(() => {})
  }, renewMs)

  let broken: { error: unknown } | undefined
  async function* counted() {
    try {
      let size = start.length
      yield start
      for (let next = await source.next(); !next.done; next = await source.next()) {
        size += next.value.length
        if (size > limit) throw new TooLargeError(limit)
        yield next.value
      }
    } catch (error) {
      broken = { error }
      throw error
    }
  }

  const discard = async () => {
    await store.delete([key])
    const rows = await db.delete(videos).where(mine).returning({ id: videos.id })
    return rows.length > 0
  }

  /** Whether a try whose answer was lost did register it: nobody else can have. */
  const isRegistered = async () => {
    const [row] = await db.select({ state: videos.state }).from(videos).where(eq(videos.id, video.id))
    return row !== undefined && row.state !== 'receiving'
  }

  let stored: { size: number; etag: string }
  try {
    const options = { contentType: 'video/mp4', signal: AbortSignal.any([signal, sessionGone.signal]) }
    stored = await store.put(key, counted(), options).catch((error: unknown) => {
      throw broken ? broken.error : new StoreFailedError('the object store did not take the original', { cause: error })
    })
    await ended()
    signal.throwIfAborted()
  } catch (error) {
    const rowWasThere = await discard().catch(() => true)
    throw rowWasThere ? error : new SessionGoneError()
  } finally {
    clearInterval(lease)
  }

  // If this fails nobody knows whether it took place, so the object stays until the lease is over.
  const original = { videoId: video.id, sessionId, container, requestId, ...stored }
  const { result, repeated } = await outlastOutage(() => registerOriginal(db, 'receiving', original))
  if (result || (repeated && (await isRegistered()))) return
  await store.delete([key])
  throw new SessionGoneError()
}

/** Reads until there is enough to sniff, or the end. */
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
