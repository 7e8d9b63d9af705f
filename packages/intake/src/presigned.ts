import { setTimeout as sleep } from 'node:timers/promises'
import {
  inFolder,
  ObjectChangedError,
  ObjectMissingError,
  originalPath,
  StoreFailedError,
  storeUnavailable,
  UnsafeUploadsError,
} from '@playtherapy/object-store'
import { announce, type Cause, type Database, outlastOutage, type Transaction, videos } from '@playtherapy/schema'
import { and, count, eq, isNull, lt, or, type SQL, sql } from 'drizzle-orm'
import { mayBeCopy } from './copies.ts'
import { StillAnnouncedError, TooLargeError, TooManyUrlsError } from './errors.ts'
import type { IntakeResources } from './receive-original.ts'
import { isRegistered, registerOriginal } from './register-original.ts'
import { nextVideo, reserveVideo } from './reserve-video.ts'
import { explain, sniff, sniffBytes } from './sniff.ts'

/** A PUT to a presigned URL has to start within this time. */
const urlSeconds = 3_600
/** An unused key is swept after this time: a PUT that started in time has ended long before. */
const sweepSeconds = 86_400
/** S3 accepts no more than this in a single PUT. */
const singlePutBytes = 5 * 1024 ** 3
/** A session may have this many unused keys; each is swept a day after it was issued. */
const mostUnused = 100

/**
 * Issues a URL for one PUT of a recording straight to the object store, and returns it with its new key as the column
 * `path` holds it. The session shows the recording only after announceOriginal(). Throws SessionDeletedError,
 * StoreFailedError, TooManyUrlsError, and UnsafeUploadsError where a URL would give access to another's objects.
 */
export async function issuePresigned(
  { db, store, phase }: IntakeResources,
  { caseId, sessionId, cause }: { caseId: number; sessionId: number; cause: Cause },
): Promise<{ presigned_url: string; file_path: string }> {
  const { safe, notice } = await store.judgeUploads().catch((error: unknown) => {
    throw storeUnavailable(error)
  })
  if (!safe) throw new UnsafeUploadsError(notice)
  const video = await nextVideo({ db, store }, (videoId) => originalPath(phase, caseId, sessionId, videoId))
  await db.transaction(async (tx) => {
    const unused = and(eq(videos.sessionId, sessionId), eq(videos.state, 'presigned'))
    const [found] = await tx.select({ count: count() }).from(videos).where(unused)
    if (found && found.count >= mostUnused) throw new TooManyUrlsError()
    await reserveVideo(tx, video, { sessionId, state: 'presigned', cause })
    await announce(tx, 'sweep-presigned', { video_id: video.id }, { delaySeconds: sweepSeconds })
  })
  const url = await store.presignPut(inFolder('video', video.path), { contentType: 'video/mp4', expiresIn: urlSeconds })
  return { presigned_url: url, file_path: video.path }
}

/** Whether what is uploaded under this key of the object store can still be announced. */
export async function isAwaited(db: Database, key: string): Promise<boolean> {
  const path = key.slice(inFolder('video', '').length)
  return (await db.$count(videos, and(eq(videos.path, path), eq(videos.state, 'presigned')))) > 0
}

interface FinishedUpload {
  sessionId: number
  /** The key that issuePresigned() returned to the client. */
  path: string
  /** The most bytes that a recording may have. */
  limit: number
  cause?: Cause
  /** Makes the request's other changes in the same transaction, also if nothing is announced; rerun after an outage. */
  alongside?: (tx: Transaction) => Promise<void>
  /** Fires when the client has disconnected: then nobody waits for another announcement any more. */
  signal?: AbortSignal
  /** The longest wait of the caller, in milliseconds. */
  waitMs?: number
}

/** The right to adopt an upload until the time `until`, by the database's clock; each renewal changes that time. */
interface Lease {
  videoId: number
  until: Date
}

/** An announcement whose process died blocks others for this time; one that is alive renews its lease. */
const leaseSeconds = 30
const renewMs = 10_000
/** First and longest pause before it is looked again whether another announcement of the same upload has ended. */
const [firstPauseMs, longestPauseMs] = [100, 1_000]

// A Date has no microseconds, and the lease is found again by its time.
const leaseUntil = sql`date_trunc('milliseconds', now() + make_interval(secs => ${leaseSeconds}))`

/**
 * Ends a presigned upload. If `path` is an unused key of this session, what was uploaded is checked and becomes the object,
 * its size and ETag are recorded, and its encode is announced; any other key is ignored. Returns whether the encode was
 * announced: of several calls with one key, one returns true, and the others wait for it. Throws StoreFailedError (nothing
 * uploaded, not by a plain PUT, or perhaps a copy; store down), NotAVideoError and TooLargeError; then nothing has changed.
 * Throws StillAnnouncedError after `waitMs`; then the copy goes on, and its end announces the encode, without `alongside`.
 */
export async function announceOriginal(
  { db, store }: Pick<IntakeResources, 'db' | 'store'>,
  upload: FinishedUpload,
): Promise<boolean> {
  const { sessionId, path, signal, waitMs = 15_000 } = upload
  const waiting = and(eq(videos.sessionId, sessionId), eq(videos.path, path), eq(videos.state, 'presigned'))
  const late = AbortSignal.timeout(waitMs)
  const lease = await claim(db, waiting, signal ? AbortSignal.any([late, signal]) : late)
  if (!lease) {
    await db.transaction(upload.alongside ?? (async () => {}))
    return false
  }
  const adopted = adopt({ db, store }, lease, upload, late)
  const tooLate = sleep(2 * waitMs, undefined, { signal: late, ref: false }).catch(() => {
    throw new StillAnnouncedError()
  })
  await Promise.race([adopted, tooLate])
  return adopted
}

/** Adopts the upload and announces its encode, both under the lease. Returns whether it was announced. */
async function adopt(
  { db, store }: Pick<IntakeResources, 'db' | 'store'>,
  lease: Lease,
  { sessionId, path, limit, cause, alongside }: FinishedUpload,
  late: AbortSignal,
): Promise<boolean> {
  const { videoId } = lease
  const key = inFolder('video', path)
  const endRenewals = renewLease(db, lease)
  try {
    const { lastModified, container, ...upload } = await inspect(store, key, Math.min(limit, singlePutBytes))
    if (await mayBeCopy(db, sessionId, { ...upload, lastModified })) {
      throw notPlain()
    }
    const original = await store.adoptUpload(key, upload.etag).catch(failStore)
    await endRenewals()
    const { result, repeated } = await outlastOutage(() =>
      db.transaction(async (tx) => {
        // A client that was told to ask again may have changed the session since.
        if (!late.aborted) await alongside?.(tx)
        const durable = { videoId, sessionId, cause, container, leaseUntil: lease.until, ...original }
        return registerOriginal(tx, 'presigned', durable)
      }),
    )
    // An earlier attempt may have committed although its response was lost.
    if (!result && !(repeated && (await isRegistered(db, videoId)))) {
      await giveBack({ db, store }, lease, key)
      return false
    }
  } catch (error) {
    await endRenewals()
    await giveBack({ db, store }, lease, key).catch(() => {})
    throw error
  }
  // If this fails, a worker removes it a day after the URL was issued.
  await store.abortUploads(key).catch(() => {})
  return true
}

/** Matches the row of an upload as long as the lease is ours. */
const held = ({ videoId, until }: Lease) =>
  and(eq(videos.id, videoId), eq(videos.state, 'presigned'), eq(videos.leaseUntil, until))

/** Renews a lease until the returned function is called, which waits for the last renewal. */
function renewLease(db: Database, lease: Lease): () => Promise<void> {
  const ended = new AbortController()
  const renewals = (async () => {
    for (;;) {
      await sleep(renewMs, undefined, { signal: ended.signal, ref: false })
      const renewal = db.update(videos).set({ leaseUntil }).where(held(lease)).returning({ until: videos.leaseUntil })
      // After an outage the lease may be another's; registerOriginal() finds that out.
      const [row] = await renewal.catch(() => [])
      lease.until = row?.until ?? lease.until
    }
  })().catch(() => {})
  return () => {
    ended.abort()
    return renewals
  }
}

/** Ends the lease of an announcement that failed; removes the object if its video was deleted meanwhile. */
async function giveBack({ db, store }: Pick<IntakeResources, 'db' | 'store'>, lease: Lease, key: string) {
  const rows = await db.update(videos).set({ leaseUntil: null }).where(held(lease)).returning({ id: videos.id })
  if (rows.length > 0) return
  const [other] = await db.select({ id: videos.id }).from(videos).where(eq(videos.id, lease.videoId))
  if (!other) await store.delete([key])
}

/**
 * Takes the lease of an upload whose video matches `waiting`, so that no other request adopts it at the same time. Waits
 * while another request announces it, until `over` fires: then it throws StillAnnouncedError. Returns undefined when no
 * such upload waits.
 */
async function claim(db: Database, waiting: SQL | undefined, over: AbortSignal): Promise<Lease | undefined> {
  const free = and(waiting, or(isNull(videos.leaseUntil), lt(videos.leaseUntil, sql`now()`)))
  const columns = { videoId: videos.id, until: videos.leaseUntil }
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    const [mine] = await db.update(videos).set({ leaseUntil }).where(free).returning(columns)
    if (mine?.until) return { videoId: mine.videoId, until: mine.until }
    const [others] = await db.select({ id: videos.id }).from(videos).where(waiting)
    if (!others) return undefined
    await sleep(pauseMs, undefined, { signal: over }).catch(() => {
      throw new StillAnnouncedError()
    })
  }
}

/** One answer for all that is no plain upload, so that nobody learns from it which recordings others have. */
const notPlain = () =>
  new StoreFailedError('is not accepted from a presigned URL; send the file in a multipart body', 'not_plain')

const notUploaded = () =>
  new StoreFailedError('is not there: no PUT to its presigned URL has succeeded', 'not_uploaded')

async function inspect(store: IntakeResources['store'], key: string, limit: number) {
  const upload = await store.inspectUpload(key, sniffBytes).catch(failStore)
  if (!upload || upload.size === 0) throw notUploaded()
  if (!upload.isPlain) throw notPlain()
  if (upload.size > limit) throw new TooLargeError(limit)
  const container = await sniff(upload.start)
  if (!container) throw await explain(upload.start)
  const { size, etag, lastModified } = upload
  return { size, etag, lastModified, container }
}

function failStore(error: unknown): never {
  if (error instanceof ObjectMissingError || error instanceof ObjectChangedError) throw notUploaded()
  throw storeUnavailable(error)
}
