import {
  inFolder,
  ObjectChangedError,
  ObjectMissingError,
  originalPath,
  StoreFailedError,
  storeUnavailable,
  UnsafeUploadsError,
} from '@playtherapy/object-store'
import { announce, outlastOutage, type Transaction, videos } from '@playtherapy/schema'
import { and, count, eq } from 'drizzle-orm'
import { mayBeCopy } from './copies.ts'
import { NotAVideoError, TooLargeError, TooManyUrlsError } from './errors.ts'
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

/**
 * Ends a presigned upload. If `path` is an unused key of this session, the object is checked, its size and ETag are
 * recorded, and its encode is announced; any other key is ignored. Returns whether the encode was announced: of several
 * calls with one key, one returns true. Throws StoreFailedError (object missing, not left by a plain PUT, or perhaps a
 * copy; store down), NotAVideoError and TooLargeError; then nothing has changed.
 */
export async function announceOriginal(
  { db, store }: Pick<IntakeResources, 'db' | 'store'>,
  { sessionId, path, limit, requestId, alongside = async () => {} }: FinishedUpload,
): Promise<boolean> {
  const waiting = and(eq(videos.sessionId, sessionId), eq(videos.path, path), eq(videos.state, 'presigned'))
  const [video] = await db.select({ id: videos.id }).from(videos).where(waiting)
  if (!video) {
    await db.transaction(alongside)
    return false
  }
  const original = await inspect(store, inFolder('video', path), Math.min(limit, singlePutBytes))
  if (await mayBeCopy(db, sessionId, original)) throw notPlain()
  const { result, repeated } = await outlastOutage(() =>
    db.transaction(async (tx) => {
      await alongside(tx)
      return registerOriginal(tx, 'presigned', { videoId: video.id, sessionId, requestId, ...original })
    }),
  )
  if (result || !repeated) return result
  // An earlier attempt may have committed although its response was lost.
  const [row] = await db.select({ state: videos.state }).from(videos).where(eq(videos.id, video.id))
  return row !== undefined && row.state !== 'presigned'
}

/** One answer for all that is no plain upload, so that nobody learns from it which recordings others have. */
const notPlain = () =>
  new StoreFailedError('is not accepted from a presigned URL; send the file in a multipart body', 'not_plain')

const notUploaded = () =>
  new StoreFailedError('is not there: no PUT to its presigned URL has succeeded', 'not_uploaded')

async function inspect(store: IntakeResources['store'], key: string, limit: number) {
  try {
    const info = await store.inspectUpload(key)
    if (!info || info.size === 0) throw notUploaded()
    if (!info.isPlain) throw notPlain()
    if (info.size > limit) throw new TooLargeError(limit)
    const end = Math.min(info.size, sniffBytes) - 1
    const chunks: Uint8Array[] = []
    for await (const chunk of await store.get(key, { end, ifMatch: info.etag })) chunks.push(chunk)
    const start = Buffer.concat(chunks)
    const container = await sniff(start)
    if (!container) throw await explain(start)
    return { size: info.size, etag: info.etag, lastModified: info.lastModified, container }
  } catch (error) {
    if (error instanceof NotAVideoError || error instanceof TooLargeError || error instanceof StoreFailedError)
      throw error
    if (error instanceof ObjectMissingError || error instanceof ObjectChangedError) {
      throw notUploaded()
    }
    throw storeUnavailable(error)
  }
}
