import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { abortable, chunksOf } from './abortable.ts'
import { type Body, ObjectExistsError, type PutOptions, StoreSilentError } from './object-store.ts'
import { attempts, statusOf } from './s3-client.ts'
import { type PartBuffers, type PartPool, partBytes, partsOf } from './s3-parts.ts'

/** Where an object is stored; `remove` deletes it with all its versions. */
export interface PutTarget {
  s3: S3Client
  pool: PartPool
  place: { Bucket: string; Key: string }
  /** Keeps the object from being removed. */
  lock?: ObjectLockRequest | undefined
  remove: () => Promise<void>
}

/** How S3 is asked to lock an object: not even the owner of the bucket can shorten it. */
interface ObjectLockRequest {
  ObjectLockMode: 'COMPLIANCE'
  ObjectLockRetainUntilDate: Date
}

/** One put: `about` describes the object, and names this attempt. */
interface Put extends PutTarget {
  about: { Bucket: string; Key: string; ContentType: string; Metadata: { attempt: string } }
  signal: AbortSignal | undefined
}

/**
 * Stores a body: in one request if it fits into one part, in parts otherwise. The SDK's own `Upload` copies each part twice
 * and lets requests continue after an abort, so that an object can appear after the caller got the error
 * (aws-sdk-js-v3 #5109, #7322). Here the signal aborts only parts. The one request that creates the object always ends,
 * and after an abort the object is removed.
 */
export async function putObject(
  target: PutTarget,
  body: Body,
  { contentType, signal }: PutOptions,
): Promise<{ size: number; etag: string }> {
  // It shows whose object it is when a response was lost and the repeated request finds the key in use.
  const about = { ...target.place, ...target.lock, ContentType: contentType, Metadata: { attempt: randomUUID() } }
  const put = { ...target, about, signal }
  // A small body is not copied into a buffer, because a few fresh buffers would start a full garbage collection.
  if (body instanceof Uint8Array && body.length < partBytes(1)) return putWhole(put, body)
  const buffers = target.pool.open()
  const parts = partsOf(abortable(chunksOf(body), signal), buffers)
  try {
    const first: Uint8Array | undefined = (await parts.next()).value
    if (first?.length === partBytes(1)) return await putParts(put, first, parts, buffers)
    const stored = await putWhole(put, first ?? new Uint8Array())
    if (first) buffers.give(first)
    return stored
  } catch (error) {
    throw signal?.aborted ? signal.reason : error
  } finally {
    await parts.return(undefined)
    buffers.end()
  }
}

/** Within this time a server that is only slow with one request answers another one. */
const aliveMs = 2_000

const find = ({ s3, place }: Put, abortSignal?: AbortSignal) =>
  s3.send(new HeadObjectCommand(place), { ...(abortSignal && { abortSignal }) })

async function putWhole(put: Put, Body: Uint8Array) {
  // S3 refuses a lock without it.
  const ContentMD5 = put.lock && createHash('md5').update(Body).digest('base64')
  const request = () => put.s3.send(new PutObjectCommand({ ...put.about, Body, ContentMD5, IfNoneMatch: '*' }))
  return { size: Body.length, etag: await conclude(put, request) }
}

/** A server that answers other requests may join the parts of an object for so long. */
const joinMs = 300_000
/** Pause before it is looked again whether the object is there. */
const lookAgainMs = 1_000

/** Whether the server may still be creating the object; a repeated request finds no upload after its parts were joined. */
const mayGoOn = (error: unknown) =>
  error instanceof StoreSilentError ||
  (error instanceof S3ServiceException && error.name === 'NoSuchUpload' && (error.$metadata.attempts ?? 1) > 1)

/**
 * Sends the request that creates the object. After a failure it looks whether the object is there all the same. While the
 * server may be creating it, and answers others, the request is repeated, because it may have been lost, and then the
 * object is waited for.
 */
async function create<Made>(put: Put, request: () => Promise<Made>): Promise<Made | HeadObjectCommandOutput> {
  const end = performance.now() + joinMs
  let failure: unknown
  for (let attempt = 1; ; attempt++) {
    let refusal: unknown
    try {
      if (attempt <= attempts) return await request()
      await sleep(lookAgainMs)
    } catch (error) {
      refusal = error
      failure ??= error
    }
    const waits = mayGoOn(failure)
    const found = await find(put, waits ? AbortSignal.timeout(aliveMs) : undefined).catch((problem: unknown) => {
      if (!waits || statusOf(problem) !== 404 || performance.now() > end) throw failure
    })
    if (!found) continue
    if (found.Metadata?.attempt === put.about.Metadata.attempt) return found
    throw [409, 412].includes(statusOf(refusal) ?? 0) ? new ObjectExistsError(put.place.Key) : failure
  }
}

/** Sends the request that creates the object, and finds out whether ours was created. Returns its ETag. */
export async function conclude(
  put: Put,
  request: () => Promise<{ ETag?: string | undefined }>,
  expectedEtag?: string,
): Promise<string> {
  const made = await create(put, request)
  if (put.signal?.aborted) {
    await put.remove()
    throw put.signal.reason
  }
  const etag = made.ETag || expectedEtag || (await find(put)).ETag
  if (!etag) throw new Error('the object store gave no ETag')
  // Ceph leaves the quotes out where another request has just joined the same parts.
  return etag.startsWith('"') ? etag : `"${etag}"`
}

/** Sends one part of an upload. */
export async function sendPart(
  put: Pick<Put, 's3' | 'place' | 'signal'>,
  UploadId: string | undefined,
  PartNumber: number,
  Body: Uint8Array,
) {
  const request = new UploadPartCommand({ ...put.place, UploadId, PartNumber, Body })
  const { ETag } = await put.s3.send(request, { ...(put.signal && { abortSignal: put.signal }) })
  return { PartNumber, ETag, bytes: Body.length }
}

/** The object that has the key already, or undefined. */
const existing = (put: Put) =>
  find(put).catch((error: unknown) => {
    if (statusOf(error) !== 404) throw error
  })

async function putParts(put: Put, first: Uint8Array, others: AsyncIterable<Uint8Array>, buffers: PartBuffers) {
  // If this response is lost, an empty upload stays until the bucket's rule removes it after two days.
  const { UploadId } = await put.s3.send(new CreateMultipartUploadCommand(put.about))
  const upload = { ...put.place, UploadId }
  const stop = new AbortController()
  const signal = put.signal ? AbortSignal.any([put.signal, stop.signal]) : stop.signal
  const sending: ReturnType<typeof sendPart>[] = []
  const begin = (part: Uint8Array) => {
    const sent = sendPart({ ...put, signal }, UploadId, sending.length + 1, part)
    sending.push(sent)
    // The error is thrown where the part is awaited, maybe much later; until then no more of the body is read.
    sent.then(() => buffers.give(part), buffers.fail)
  }
  try {
    begin(first)
    for await (const part of others) begin(part)
    // Some servers (Ceph 16) ignore If-None-Match in the request below, so the key is looked up while parts are sent.
    const [found, ...sent] = await Promise.all([existing(put), ...sending])
    put.signal?.throwIfAborted()
    if (found) throw new ObjectExistsError(put.place.Key)
    const Parts = sent.map(({ PartNumber, ETag }) => ({ PartNumber, ETag }))
    const request = new CompleteMultipartUploadCommand({ ...upload, IfNoneMatch: '*', MultipartUpload: { Parts } })
    const etag = await conclude(put, () => put.s3.send(request), etagOfParts(Parts))
    return { size: sent.reduce((sum, { bytes }) => sum + bytes, 0), etag }
  } catch (error) {
    stop.abort()
    await Promise.allSettled(sending)
    // If this fails, the bucket's rule removes the parts after two days.
    const aborted = put.s3.send(new AbortMultipartUploadCommand(upload)).catch(() => {})
    if (!(error instanceof StoreSilentError)) await aborted
    throw error
  }
}

/**
 * The ETag of a multipart object, for Ceph, whose response lacks it: the MD5 of the parts' MD5s, and their number.
 * Undefined when the parts' ETags are no MD5s.
 */
export function etagOfParts(parts: { ETag: string | undefined }[]): string | undefined {
  const whole = createHash('md5')
  for (const { ETag = '' } of parts) {
    const digest = /^"([0-9a-f]{32})"$/.exec(ETag)?.[1]
    if (!digest) return undefined
    whole.update(digest, 'hex')
  }
  return `"${whole.digest('hex')}-${parts.length}"`
}
