import {
  inFolder,
  ObjectChangedError,
  ObjectMissingError,
  originalPath,
  StoreFailedError,
  UnsafeUploadsError,
} from '@playtherapy/object-store'
import { announce, outlastOutage, type Transaction, videos } from '@playtherapy/schema'
import { and, count, eq } from 'drizzle-orm'
import { mayBeCopy } from './copies.ts'
import { NotAVideoError, TooLargeError, TooManyUrlsError } from './errors.ts'
import type { IntakeResources } from './receive-original.ts'
import { registerOriginal } from './register-original.ts'
import { nextVideo, reserveVideo } from './reserve-video.ts'
import { sniff, sniffLength } from './sniff.ts'

/** Seconds in which a PUT to a presigned URL may start. */
const urlSeconds = 3_600
/** Seconds after which a key that was not announced is swept: a PUT that started in time has ended long before. */
const sweepSeconds = 86_400
/** Most bytes of a single PUT on S3. */
const singlePutBytes = 5 * 1024 ** 3
/** Unannounced keys a session may have; each is swept a day after it was given out. */
const mostUnannounced = 100

/**
 * A URL for one PUT of a recording straight to the object store, under a key of its own, and that key as the column
 * will hold it. The upload becomes a recording only when it is announced. Throws SessionGoneError, StoreFailedError,
 * TooManyUrlsError, and UnsafeUploadsError where a URL would let its bearer reach objects of others.
 */
export async function issuePresigned(
  { db, store, phase }: IntakeResources,
  { caseId, sessionId }: { caseId: number; sessionId: number },
): Promise<{ presigned_url: string; file_path: string }> {
  const { safe, notice } = await store.judgeUploads().catch((error: unknown) => {
    throw new StoreFailedError('the object store did not answer', { cause: error })
  })
  if (!safe) throw new UnsafeUploadsError(notice)
  const video = await nextVideo({ db, store }, (videoId) => originalPath(phase, caseId, sessionId, videoId))
  await db.transaction(async (tx) => {
    const unannounced = and(eq(videos.sessionId, sessionId), eq(videos.state, 'presigned'))
    const [found] = await tx.select({ count: count() }).from(videos).where(unannounced)
    if (found && found.count >= mostUnannounced) throw new TooManyUrlsError()
    await reserveVideo(tx, video, { sessionId, state: 'presigned' })
    await announce(tx, 'sweep-presigned', { video_id: video.id }, { delaySeconds: sweepSeconds })
  })
  const url = await store.presignPut(inFolder('video', video.path), { contentType: 'video/mp4', expiresIn: urlSeconds })
  return { presigned_url: url, file_path: video.path }
}

export interface Announcement {
  sessionId: number
  /** The key as the client was given it. */
  path: string
  /** Most bytes of a recording. */
  limit: number
  requestId?: string
  /**
   * Other changes of the same request, made in the same transaction; they are made alone when there is nothing to
   * announce. May run again after an outage.
   */
  alongside?: (tx: Transaction) => Promise<void>
}

/**
 * The end of a presigned upload. If `path` is a key that this session was given and that was not announced yet, checks
 * that the object is there, is what a plain PUT leaves, is a video within the limit and no copy of another therapist's,
 * records its size and ETag, and announces the encode. Known, used and foreign keys are ignored. Returns whether the
 * upload was announced; of two announcements at once only one is. Throws StoreFailedError (missing, more than plain bytes,
 * a copy, or store down), NotAVideoError and TooLargeError; then nothing has changed.
 */
export async function announceOriginal(
  { db, store }: Pick<IntakeResources, 'db' | 'store'>,
  { sessionId, path, limit, requestId, alongside = async () => {} }: Announcement,
): Promise<boolean> {
  const waiting = and(eq(videos.sessionId, sessionId), eq(videos.path, path), eq(videos.state, 'presigned'))
  const [video] = await db.select({ id: videos.id }).from(videos).where(waiting)
  if (!video) {
    await db.transaction(alongside)
    return false
  }
  const original = await inspect(store, inFolder('video', path), Math.min(limit, singlePutBytes))
  if (await mayBeCopy(db, sessionId, original)) throw new StoreFailedError('the object may be a copy of another')
  const { result, repeated } = await outlastOutage(() =>
    db.transaction(async (tx) => {
      await alongside(tx)
      return registerOriginal(tx, 'presigned', { videoId: video.id, sessionId, requestId, ...original })
    }),
  )
  if (result || !repeated) return result
  // An earlier attempt whose answer was lost may have registered it.
  const [row] = await db.select({ state: videos.state }).from(videos).where(eq(videos.id, video.id))
  return row !== undefined && row.state !== 'presigned'
}

async function inspect(store: IntakeResources['store'], key: string, limit: number) {
  try {
    const info = await store.inspectUpload(key)
    if (!info || info.size === 0) throw new StoreFailedError('no such object')
    if (!info.isPlain) throw new StoreFailedError('the upload set more than bytes and a type')
    if (info.size > limit) throw new TooLargeError(limit)
    const end = Math.min(info.size, sniffLength) - 1
    const chunks: Uint8Array[] = []
    for await (const chunk of await store.get(key, { end, ifMatch: info.etag })) chunks.push(chunk)
    const container = await sniff(Buffer.concat(chunks))
    if (!container) throw new NotAVideoError()
    return { size: info.size, etag: info.etag, lastModified: info.lastModified, container }
  } catch (error) {
    if (error instanceof NotAVideoError || error instanceof TooLargeError || error instanceof StoreFailedError)
      throw error
    if (error instanceof ObjectMissingError || error instanceof ObjectChangedError) {
      throw new StoreFailedError('the object is not there any more')
    }
    throw new StoreFailedError('the object store did not answer', { cause: error })
  }
}
