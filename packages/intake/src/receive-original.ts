import { inFolder, type ObjectStore, originalPath, type Phase } from '@playtherapy/object-store'
import { type Database, videos } from '@playtherapy/schema'
import { and, eq, sql } from 'drizzle-orm'
import { EmptyError, NotAVideoError, SessionGoneError, StoreFailedError, TooLargeError } from './errors.ts'
import { registerOriginal } from './register-original.ts'
import { reserveVideo } from './reserve-video.ts'
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
  fileName: string | null
  body: AsyncIterable<Uint8Array>
  /** Most bytes taken. */
  limit: number
  /** Fires when the client is gone. */
  signal: AbortSignal
  requestId?: string
}

/** An original whose bytes are in the object store, and that does not count yet. */
export interface ReceivedOriginal {
  /** Makes it count; throws SessionGoneError, having removed it, when the session is no longer there. */
  commit(): Promise<void>
  /** Removes it. */
  discard(): Promise<void>
}

/** How long a row that is receiving counts as alive, and how often that is renewed. */
const leaseSeconds = 120
const renewMs = 15_000

const leaseUntil = sql`now() + make_interval(secs => ${leaseSeconds})`

/**
 * Streams a recording into the object store: looks at its first bytes, takes a video row, counts what passes, and keeps
 * the row's lease. Whatever goes wrong, nothing is left: no object, no unfinished upload, no row.
 * Throws EmptyError, NotAVideoError, TooLargeError, SessionGoneError, StoreFailedError, and what `body` throws.
 */
export async function receiveOriginal(
  { db, store, phase }: IntakeResources,
  { caseId, sessionId, fileName, body, limit, signal, requestId }: IncomingOriginal,
): Promise<ReceivedOriginal> {
  const source = body[Symbol.asyncIterator]()
  const start = await firstBytes(source)
  if (start.length === 0) throw new EmptyError()
  const container = await sniff(start)
  if (!container) throw new NotAVideoError()

  const pathOf = (videoId: number) => originalPath(phase, caseId, sessionId, videoId)
  const video = await db.transaction((tx) =>
    reserveVideo(tx, { sessionId, state: 'receiving', pathOf, fileName, leaseUntil }),
  )
  const key = inFolder('video', video.path)
  const mine = and(eq(videos.id, video.id), eq(videos.state, 'receiving'))

  // What is left behind when this fails too, a reconciler finds by the row's lease.
  const discard = async () => {
    await store.delete([key])
    await db.delete(videos).where(mine)
  }

  const stop = new AbortController()
  const lease = setInterval(() => {
    db.update(videos)
      .set({ leaseUntil })
      .where(mine)
      .returning({ id: videos.id })
      .then((rows) => rows.length === 0 && stop.abort(new SessionGoneError()))
      // A database that is away for a while is no reason to break off an upload of hours.
      .catch(() => {})
  }, renewMs)

  let fault: { error: unknown } | undefined
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
      fault = { error }
      throw error
    }
  }

  try {
    if (start.length > limit) throw new TooLargeError(limit)
    const options = { contentType: 'video/mp4', signal: AbortSignal.any([signal, stop.signal]) }
    const stored = await store.put(key, counted(), options)
    return {
      discard,
      async commit() {
        try {
          const original = { videoId: video.id, sessionId, container, ...stored }
          await db.transaction((tx) =>
            registerOriginal(tx, 'receiving', requestId === undefined ? original : { ...original, requestId }),
          )
        } catch (error) {
          if (error instanceof SessionGoneError) await discard()
          throw error
        }
      },
    }
  } catch (error) {
    await discard().catch(() => {})
    if (stop.signal.aborted) throw stop.signal.reason
    if (fault) throw fault.error
    if (error instanceof TooLargeError || signal.aborted) throw error
    throw new StoreFailedError('the object store did not take the original', { cause: error })
  } finally {
    clearInterval(lease)
  }
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
