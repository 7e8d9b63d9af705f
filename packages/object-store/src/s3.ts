import {
  AbortMultipartUploadCommand,
  DeleteObjectsCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  type MultipartUpload,
  PutObjectCommand,
  paginateListObjectsV2,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import type { ObjectStore, PresignPutOptions } from './object-store.ts'
import { openClient, type S3Settings, statusOf } from './s3-client.ts'
import { getObject } from './s3-get.ts'
import { putObject } from './s3-put.ts'
import { signedReads } from './s3-signed.ts'

/** Objects removed by one request, S3's limit. */
const deleteBatch = 1_000
/** Longest wait for an answer to a readiness check, in milliseconds. */
const checkMs = 2_000

/**
 * An object store in a bucket of S3, or of a server that speaks its protocol. `put` relies on If-None-Match to write
 * once; a server that ignores it at the end of a multipart upload (Ceph 16 does) is asked just before instead.
 */
export function createS3Store(settings: S3Settings): ObjectStore {
  const s3 = openClient(settings)
  const reading = openClient(settings, { socketTimeout: 0 })
  const presigning = settings.publicEndpoint ? openClient(settings, { endpoint: settings.publicEndpoint }) : s3
  const Bucket = settings.bucket
  const signed = signedReads(reading, Bucket)

  async function* uploadsBelow(prefix: string): AsyncGenerator<MultipartUpload> {
    let markers: Pick<ListMultipartUploadsCommandOutput, 'KeyMarker' | 'UploadIdMarker'> | undefined = {}
    while (markers) {
      const page: ListMultipartUploadsCommandOutput = await s3.send(
        new ListMultipartUploadsCommand({ Bucket, Prefix: prefix, ...markers }),
      )
      yield* page.Uploads ?? []
      markers = page.IsTruncated
        ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
        : undefined
    }
  }

  return {
    put: (key, body, options) => putObject(s3, { Bucket, Key: key }, body, options),

    async head(key) {
      try {
        const head = await reading.send(new HeadObjectCommand({ Bucket, Key: key }))
        if (!head.ETag || !head.LastModified) throw new Error('the object store gave no ETag or time')
        return { key, size: head.ContentLength ?? 0, etag: head.ETag, lastModified: head.LastModified }
      } catch (error) {
        if (statusOf(error) === 404) return undefined
        throw error
      }
    },

    get: (key, options) => getObject(reading, signed, { Bucket, Key: key }, options),

    async delete(keys) {
      for (let start = 0; start < keys.length; start += deleteBatch) {
        const Objects = keys.slice(start, start + deleteBatch).map((Key) => ({ Key }))
        const { Errors } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }))
        if (Errors?.length) throw new Error(`${Errors.length} objects could not be removed: ${Errors[0]?.Code}`)
      }
    },

    async *list(prefix) {
      for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket, Prefix: prefix })) {
        for (const { Key, Size, ETag, LastModified } of page.Contents ?? []) {
          if (Key && ETag && LastModified) yield { key: Key, size: Size ?? 0, etag: ETag, lastModified: LastModified }
        }
      }
    },

    async *unfinished(prefix) {
      for await (const { Key, Initiated } of uploadsBelow(prefix)) {
        if (Key && Initiated) yield { key: Key, began: Initiated }
      }
    },

    async abortUploads(prefix) {
      let aborted = 0
      for await (const { Key, UploadId } of uploadsBelow(prefix)) {
        await s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })).catch((error: unknown) => {
          // Completed or aborted by somebody else since it was listed.
          if (statusOf(error) !== 404) throw error
        })
        aborted++
      }
      return aborted
    },

    presignPut: (key, { contentType, expiresIn }: PresignPutOptions) =>
      getSignedUrl(presigning, new PutObjectCommand({ Bucket, Key: key, ContentType: contentType }), {
        expiresIn,
        signableHeaders: new Set(['content-type', 'host']),
      }),

    async check() {
      await s3.send(new HeadBucketCommand({ Bucket }), { abortSignal: AbortSignal.timeout(checkMs) })
    },

    close() {
      for (const client of new Set([s3, reading, presigning])) client.destroy()
      signed.close()
    },
  }
}
