import { createHash, randomUUID } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { abortable, chunksOf } from './abortable.ts'
import { type Body, ObjectExistsError, type PutOptions } from './object-store.ts'
import { statusOf } from './s3-client.ts'
import { createPartBuffers, partSize, partsOf } from './s3-parts.ts'

/** An object's place in the bucket. */
interface Place {
  Bucket: string
  Key: string
}

/**
 * Streams a body to a key: in one request when it fits one part, in parts otherwise. The SDK's own `Upload` copies
 * each part twice and lets requests run on after an abort, so that an object can appear after the caller was told that
 * there is none. Here only parts are cut off by the signal; the one request that makes the object always ends first, and
 * `remove` takes the object away again.
 */
export async function putObject(
  s3: S3Client,
  place: Place,
  body: Body,
  { contentType, signal }: PutOptions,
  remove: () => Promise<void>,
): Promise<{ size: number; etag: string }> {
  // Tells our object from another's when an answer was lost, and a repeated request finds the key taken.
  const attempt = randomUUID()
  const about = { ...place, ContentType: contentType, Metadata: { attempt } }
  const find = () => s3.send(new HeadObjectCommand(place))

  /** Sends what makes the object, and settles whether it is there and ours. Answers its ETag. */
  async function conclude(
    request: () => Promise<{ ETag?: string | undefined }>,
    expectedEtag?: string,
  ): Promise<string> {
    const made = await request().catch(async (error: unknown) => {
      const found = await find().catch(() => {
        throw error
      })
      if (found.Metadata?.attempt === attempt) return found
      const status = statusOf(error)
      throw status === 412 || status === 409 ? new ObjectExistsError(place.Key) : error
    })
    if (signal?.aborted) {
      await remove()
      throw signal.reason
    }
    const etag = made.ETag || expectedEtag || (await find()).ETag
    if (!etag) throw new Error('the object store gave no ETag')
    return etag
  }

  async function inOneRequest(Body: Uint8Array) {
    const etag = await conclude(() => s3.send(new PutObjectCommand({ ...about, Body, IfNoneMatch: '*' })))
    return { size: Body.length, etag }
  }

  async function inParts(first: Uint8Array, others: AsyncIterable<Uint8Array>) {
    // If the answer to this is lost, an empty upload stays until the bucket's rule removes it after two days.
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand(about))
    const upload = { ...place, UploadId }
    const Parts: { PartNumber: number; ETag: string | undefined }[] = []
    let size = 0
    const underWay = new Set<Promise<void>>()
    const send = async (PartNumber: number, Body: Uint8Array) => {
      const request = new UploadPartCommand({ ...upload, PartNumber, Body })
      const { ETag } = await s3.send(request, { ...(signal && { abortSignal: signal }) })
      Parts.push({ PartNumber, ETag })
      size += Body.length
      buffers.give(Body)
    }
    let number = 0
    const begin = (part: Uint8Array) => {
      const sending = send(++number, part).then(() => {
        underWay.delete(sending)
      })
      underWay.add(sending)
      // Its failure is met where it is waited for, which may be much later.
      sending.catch(buffers.fail)
    }
    try {
      begin(first)
      for await (const part of others) begin(part)
      // Some servers, Ceph 16 among them, do not look at If-None-Match below; for these, a look beforehand must do. It
      // takes no time while the last parts are on their way.
      const look = find().catch((error: unknown) => {
        if (statusOf(error) !== 404) throw error
      })
      const [taken] = await Promise.all([look, ...underWay])
      signal?.throwIfAborted()
      if (taken) throw new ObjectExistsError(place.Key)
      Parts.sort((a, b) => a.PartNumber - b.PartNumber)
      const request = new CompleteMultipartUploadCommand({ ...upload, IfNoneMatch: '*', MultipartUpload: { Parts } })
      return { size, etag: await conclude(() => s3.send(request), etagOfParts(Parts)) }
    } catch (error) {
      await Promise.allSettled(underWay)
      // If this fails too, the bucket's rule removes the parts after two days.
      await s3.send(new AbortMultipartUploadCommand(upload)).catch(() => {})
      throw error
    }
  }

  // A buffer for a part would cost it more than all else: V8 collects everything after a few of them.
  if (body instanceof Uint8Array && body.length < partSize(1)) return inOneRequest(body)
  const buffers = createPartBuffers()
  const parts = partsOf(abortable(chunksOf(body), signal), buffers)
  try {
    const first = (await parts.next()).value ?? new Uint8Array()
    return first.length < partSize(1) ? await inOneRequest(first) : await inParts(first, parts)
  } catch (error) {
    throw signal?.aborted ? signal.reason : error
  } finally {
    await parts.return(undefined)
    buffers.end()
  }
}

/**
 * The ETag of an object that Ceph puts together of these parts, for its answer to that comes without: the MD5 of theirs,
 * and how many they are. Undefined when theirs are no MD5s.
 */
function etagOfParts(parts: { ETag: string | undefined }[]): string | undefined {
  const whole = createHash('md5')
  for (const { ETag = '' } of parts) {
    const digest = /^"([0-9a-f]{32})"$/.exec(ETag)?.[1]
    if (!digest) return undefined
    whole.update(digest, 'hex')
  }
  return `"${whole.digest('hex')}-${parts.length}"`
}
