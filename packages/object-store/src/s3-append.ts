import { randomUUID } from 'node:crypto'
import { CompleteMultipartUploadCommand, CreateMultipartUploadCommand, type S3Client } from '@aws-sdk/client-s3'
import { abortable } from './abortable.ts'
import { tailKey } from './keys.ts'
import { type AppendOptions, type Begun, ObjectMissingError, type ObjectStore, type Tail } from './object-store.ts'
import { type PartPool, partBytes, partsOf } from './s3-parts.ts'
import { conclude, etagOfParts, sendPart } from './s3-put.ts'
import { findObject } from './s3-uploads.ts'

interface Bucket {
  s3: S3Client
  bucket: string
  pool: PartPool
  put: ObjectStore['put']
  get: ObjectStore['get']
  remove: ObjectStore['delete']
}

type Appends = Pick<ObjectStore, 'beginUpload' | 'appendUpload' | 'removeTail' | 'finishUpload'>

const contentType = 'video/mp4'
/** An object that is stored in several calls has a key that nothing else uses, so any attempt at it is the same one. */
const about = { ContentType: contentType, Metadata: { attempt: 'in several calls' } }

const unlessAborted = (error: unknown): never => {
  if (error instanceof Error && error.name === 'NoSuchUpload') throw new ObjectMissingError('the upload was aborted')
  throw error
}

/**
 * Objects that are stored in several calls, each a multipart upload. S3 has no parts below 5 MiB but the last one, so a call
 * that ends before leaves a tail, an object of its own, with which the first part of the next call begins. So parts end at the same
 * places however a body is cut: a call that was thought dead, or whose parts were never reported, sent what the next call
 * sends again under the same numbers. Ceph 16 refuses to join an upload that has any other part.
 */
export function bucketAppends({ s3, bucket, pool, put, get, remove }: Bucket): Appends {
  const placeOf = (Key: string) => ({ Bucket: bucket, Key })

  async function append(key: string, begun: Begun, body: AsyncIterable<Uint8Array>, options: AppendOptions) {
    const { length, onPart } = options
    const buffers = pool.open()
    const stop = new AbortController()
    const signal = AbortSignal.any([options.signal, stop.signal])
    async function* bytes() {
      if (begun.tail) yield* await get(tailKey(key, begun.tail.name), { signal })
      yield* body
    }
    const parts = partsOf(abortable(bytes(), options.signal), buffers, begun.nextPart)
    const sending: Promise<unknown>[] = []
    let reported = Promise.resolve()
    let number = begun.nextPart
    let end = begun.partsBytes
    let rest: Uint8Array | undefined
    const begin = (part: Uint8Array) => {
      const sent = sendPart({ s3, place: placeOf(key), signal }, begun.id, number++, part)
      sending.push(sent)
      // The error is thrown where the parts are awaited; until then no more of the body is read.
      sent.then(() => buffers.give(part), buffers.fail)
      reported = Promise.all([sent, reported]).then(([{ PartNumber, ETag = '', bytes: size }]) =>
        onPart({ number: PartNumber, size, etag: ETag }),
      )
      reported.catch(() => {})
    }
    try {
      for await (const part of parts) {
        end += part.length
        if (part.length === partBytes(number) || end === length) begin(part)
        else rest = part
      }
      await reported
      if (!rest) return undefined
      const tail: Tail = { name: randomUUID(), size: rest.length }
      await put(tailKey(key, tail.name), rest, { contentType, signal })
      return tail
    } catch (error) {
      stop.abort()
      await Promise.allSettled(sending)
      throw options.signal.aborted ? options.signal.reason : error
    } finally {
      await parts.return(undefined)
      buffers.end()
    }
  }

  return {
    async beginUpload(key) {
      const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ ...placeOf(key), ...about }))
      if (!UploadId) throw new Error('the object store gave no upload id')
      return UploadId
    },

    appendUpload: (...asked) => append(...asked).catch(unlessAborted),

    removeTail: (key, { name }) => remove([tailKey(key, name)]),

    async finishUpload(key, id, parts) {
      const place = placeOf(key)
      const made = await findObject(s3, bucket, key)
      if (made) return made
      const Parts = parts.map(({ number, etag }) => ({ PartNumber: number, ETag: etag }))
      const request = new CompleteMultipartUploadCommand({ ...place, UploadId: id, MultipartUpload: { Parts } })
      const target = { s3, pool, place, remove: () => remove([key]), about: { ...place, ...about }, signal: undefined }
      const etag = await conclude(target, () => s3.send(request), etagOfParts(Parts)).catch(unlessAborted)
      return { size: parts.reduce((sum, { size }) => sum + size, 0), etag }
    },
  }
}
