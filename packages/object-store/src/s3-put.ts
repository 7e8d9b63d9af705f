import { randomUUID } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { abortable } from './abortable.ts'
import { ObjectExistsError, type PutOptions } from './object-store.ts'
import { statusOf } from './s3-client.ts'

/**
 * Bytes of a part. An upload holds two, the one on its way and the one being filled, and nothing more however fast its
 * source is. S3 takes parts from 5 MiB and 10,000 of them, which would end at 48 GiB; from 20 GiB on they are larger,
 * and reach 89 GiB.
 */
const partSize = (number: number) => (number <= 4_096 ? 5 : 12) * 1024 ** 2

/** An object's place in the bucket. */
interface Place {
  Bucket: string
  Key: string
}

/**
 * Streams a body to a key: in one request when it fits one part, in parts otherwise. The SDK's own `Upload` copies
 * each part twice and lets requests run on after an abort, so that an object can appear after the caller was told that
 * there is none. Here only parts are cut off by the signal; the one request that makes the object always ends first.
 */
export async function putObject(
  s3: S3Client,
  place: Place,
  body: AsyncIterable<Uint8Array>,
  { contentType, signal }: PutOptions,
): Promise<{ size: number; etag: string }> {
  // Tells our object from another's when an answer was lost, and a repeated request finds the key taken.
  const attempt = randomUUID()
  const about = { ...place, ContentType: contentType, Metadata: { attempt } }
  const find = () => s3.send(new HeadObjectCommand(place))

  /** Sends what makes the object, and settles whether it is there and ours. Answers its ETag. */
  async function conclude(request: () => Promise<{ ETag?: string | undefined }>): Promise<string> {
    const made = await request().catch(async (error: unknown) => {
      const found = await find().catch(() => {
        throw error
      })
      if (found.Metadata?.attempt === attempt) return found
      const status = statusOf(error)
      throw status === 412 || status === 409 ? new ObjectExistsError(place.Key) : error
    })
    if (signal?.aborted) {
      await s3.send(new DeleteObjectCommand(place))
      throw signal.reason
    }
    // Ceph's answer to the end of a multipart upload comes without it.
    const etag = made.ETag || (await find()).ETag
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
    let underWay = Promise.resolve()
    const send = async (PartNumber: number, Body: Uint8Array) => {
      const request = new UploadPartCommand({ ...upload, PartNumber, Body })
      const { ETag } = await s3.send(request, { ...(signal && { abortSignal: signal }) })
      Parts.push({ PartNumber, ETag })
      size += Body.length
    }
    try {
      underWay = send(1, first)
      // Its failure is met where it is waited for, which may be much later.
      underWay.catch(() => {})
      let number = 1
      for await (const part of others) {
        await underWay
        underWay = send(++number, part)
        underWay.catch(() => {})
      }
      await underWay
      signal?.throwIfAborted()
      // Some servers, Ceph 16 among them, do not look at If-None-Match here; for these, a look beforehand must do.
      const taken = await find().catch((error: unknown) => {
        if (statusOf(error) !== 404) throw error
      })
      if (taken) throw new ObjectExistsError(place.Key)
      const request = new CompleteMultipartUploadCommand({ ...upload, IfNoneMatch: '*', MultipartUpload: { Parts } })
      return { size, etag: await conclude(() => s3.send(request)) }
    } catch (error) {
      await underWay.catch(() => {})
      // If this fails too, the bucket's rule removes the parts after two days.
      await s3.send(new AbortMultipartUploadCommand(upload)).catch(() => {})
      throw error
    }
  }

  const parts = partsOf(abortable(body, signal))
  try {
    const first = (await parts.next()).value ?? new Uint8Array()
    return first.length < partSize(1) ? await inOneRequest(first) : await inParts(first, parts)
  } catch (error) {
    throw signal?.aborted ? signal.reason : error
  } finally {
    await parts.return(undefined)
  }
}

/**
 * A body in whole parts and a rest. Two buffers take turns, so a part's bytes hold until the part after the next is
 * asked for; nothing of the source's own, larger buffers is kept.
 */
async function* partsOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let number = 1
  let filling: Uint8Array = Buffer.allocUnsafeSlow(partSize(number))
  let other: Uint8Array | undefined
  let filled = 0
  for await (const chunk of body) {
    for (let taken = 0; taken < chunk.length; ) {
      const piece = chunk.subarray(taken, taken + filling.length - filled)
      filling.set(piece, filled)
      taken += piece.length
      filled += piece.length
      if (filled < filling.length) continue
      yield filling
      const size = partSize(++number)
      const next = other?.length === size ? other : Buffer.allocUnsafeSlow(size)
      other = filling
      filling = next
      filled = 0
    }
  }
  if (filled > 0) yield filling.subarray(0, filled)
}
