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
import { announce, type Database, outlastOutage, type Transaction, videos } from '@playtherapy/schema'
import { and, count, eq, isNull, lt, or, type SQL, sql } from 'drizzle-orm'
import { mayBeCopy } from './copies.ts'
import { TooLargeError, TooManyUrlsError } from './errors.ts'
import type { IntakeResources } from './receive-original.ts'
import { registerOriginal } from './register-original.ts'
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
  { caseId, sessionId }: { caseId: number; sessionId: number },
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
    await reserveVideo(tx, video, { sessionId, state: 'presigned' })
    await announce(tx, 'sweep-presigned', { video_id: video.id }, { delaySeconds: sweepSeconds })
  })
  const url = await store.presignPut(inFolder('video', video.path), { contentType: 'video/mp4', expiresIn: urlSeconds })
  return { presigned_url: url, file_path: video.path }
}

interface FinishedUpload {
  sessionId: number
  /** The key that issuePresigned() returned to the client. */
  path: string
  /** The most bytes that a recording may have. */
  limit: number
  requestId?: string
  /** Makes the request's other changes in the same transaction, also if nothing is announced; rerun after an outage. */
  alongside?: (tx: Transaction) => Promise<void>
}

/** An announcement counts as dead after this time. The copy inside an object store takes a minute at most. */
const announceSeconds = 300
/** Pause before it is looked again whether another announcement of the same upload has ended. */
const lookAgainMs = 100

/**
 * Ends a presigned upload. If `path` is an unused key of this session, what was uploaded is checked and becomes the object,
 * its size and ETag are recorded, and its encode is announced; any other key is ignored. Returns whether the encode was
 * announced: of several calls with one key, one returns true, and the others wait for it. Throws StoreFailedError (nothing
 * uploaded, not by a plain PUT, or perhaps a copy; store down), NotAVideoError and TooLargeError; then nothing has changed.
 */
export async function announceOriginal(
  { db, store }: Pick<IntakeResources, 'db' | 'store'>,
  { sessionId, path, limit, requestId, alongside = async () => {} }: FinishedUpload,
): Promise<boolean> {
  const waiting = and(eq(videos.sessionId, sessionId), eq(videos.path, path), eq(videos.state, 'presigned'))
  const videoId = await claim(db, waiting)
  if (videoId === undefined) {
    await db.transaction(alongside)
    return false
  }
  const key = inFolder('video', path)
  try {
    const { lastModified, container, ...upload } = await inspect(store, key, Math.min(limit, singlePutBytes))
    if (await mayBeCopy(db, sessionId, { ...upload, lastModified })) {
      throw notPlain()
    }
    const original = await store.adoptUpload(key, upload.etag).catch(failStore)
    const { result, repeated } = await outlastOutage(() =>
      db.transaction(async (tx) => {
        await alongside(tx)
        return registerOriginal(tx, 'presigned', { videoId, sessionId, requestId, container, ...original })
      }),
    )
    // An earlier attempt may have committed although its response was lost.
    if (!result && !(repeated && (await isRegistered(db, videoId)))) {
      await giveBack({ db, store }, videoId, key)
      return false
    }
  } catch (error) {
    await giveBack({ db, store }, videoId, key).catch(() => {})
    throw error
  }
  // If this fails, a worker removes it a day after the URL was issued.
  await store.abortUploads(key).catch(() => {})
  return true
}

/** Ends the lease of an announcement that failed; removes the object if its video was deleted meanwhile. */
async function giveBack({ db, store }: Pick<IntakeResources, 'db' | 'store'>, videoId: number, key: string) {
  const waiting = and(eq(videos.id, videoId), eq(videos.state, 'presigned'))
  const rows = await db.update(videos).set({ leaseUntil: null }).where(waiting).returning({ id: videos.id })
  if (rows.length > 0) return
  const [other] = await db.select({ id: videos.id }).from(videos).where(eq(videos.id, videoId))
  if (!other) await store.delete([key])
}

/**
 * Takes an upload whose video matches `waiting`, so that no other request adopts it at the same time, and returns the id
 * of the video. Waits while another request announces it; undefined when no such upload waits.
 */
async function claim(db: Database, waiting: SQL | undefined): Promise<number | undefined> {
  const leaseUntil = sql`now() + make_interval(secs => ${announceSeconds})`
  const isFree = or(isNull(videos.leaseUntil), lt(videos.leaseUntil, sql`now()`))
  for (;;) {
    const [mine] = await db.update(videos).set({ leaseUntil }).where(and(waiting, isFree)).returning({ id: videos.id })
    if (mine) return mine.id
    const [others] = await db.select({ id: videos.id }).from(videos).where(waiting)
    if (!others) return undefined
    await sleep(lookAgainMs)
  }
}

async function isRegistered(db: Database, videoId: number): Promise<boolean> {
  const [row] = await db.select({ state: videos.state }).from(videos).where(eq(videos.id, videoId))
  return row !== undefined && row.state !== 'presigned'
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
