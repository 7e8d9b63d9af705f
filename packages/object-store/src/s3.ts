import { buffer } from 'node:stream/consumers'
import {
  AbortMultipartUploadCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  type MultipartUpload,
  type ObjectIdentifier,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { adoptedKey, uploadKey } from './keys.ts'
import { ObjectChangedError, type ObjectStore, type PresignPutOptions, UnsafeUploadsError } from './object-store.ts'
import { inOrder, runAll } from './run-all.ts'
import { bucketAppends } from './s3-append.ts'
import { keepingOf, objectLockOf } from './s3-bucket.ts'
import { keepVerdict, tryUploads } from './s3-canary.ts'
import { openClient, type Patience, patienceOfRequests, type S3Settings, statusOf } from './s3-client.ts'
import { bucketEncryption } from './s3-encryption.ts'
import { objectReads } from './s3-get.ts'
import { createPartPool } from './s3-parts.ts'
import { putObject } from './s3-put.ts'
import { copyMs, copyObject, findObject, inspectObject } from './s3-uploads.ts'
import { bucketContents } from './s3-versions.ts'

const mp4 = 'video/mp4'
const encryptionHeaders = ['x-amz-server-side-encryption', 'x-amz-server-side-encryption-aws-kms-key-id']

/** Versions that are read at the same time, and the bytes that these may have together. Some servers need 40 ms for each. */
const [readsAtOnce, readsBytes] = [64, 16 * 1024 ** 2]
/** The server is busy or down, and says nothing about the object. */
const busy = [429, 502, 503, 504]
/** Longest wait for the response to a readiness check. */
const checkMs = 2_000

/**
 * An object store in a bucket of S3, or of a server with its protocol. `put` uses If-None-Match to write once; because some
 * servers ignore it at the end of a multipart upload (Ceph 16 does), the key is looked up just before.
 */
export function createS3Store(settings: S3Settings, patience: Patience = patienceOfRequests): ObjectStore {
  const s3 = openClient(settings, patience)
  const reading = openClient(settings, { ...patience, requestTimeout: patience.silenceMs })
  const copying = openClient(settings, { silenceMs: copyMs })
  const Bucket = settings.bucket
  const encryption = bucketEncryption(settings)
  for (const client of [s3, copying]) encryption.guard(client)
  const { get, close: closeReads } = objectReads(reading, Bucket, patience)
  const pool = createPartPool()
  const contents = bucketContents(s3, Bucket)

  // URLs are made for the address of browsers and, if there is one, with the key that may only write.
  const own = settings.endpoint ?? 'AWS'
  const addresses = [...new Set([settings.publicEndpoint ?? own, own])]
  const signers = new Map(
    addresses.map((address) => [
      address,
      openClient({ ...settings, ...settings.upload }, { ...(address !== 'AWS' && { endpoint: address }) }),
    ]),
  )
  const presign = (address: string, Key: string, { contentType, expiresIn }: PresignPutOptions) =>
    getSignedUrl(signers.get(address) ?? s3, new PutObjectCommand({ Bucket, Key, ContentType: contentType }), {
      expiresIn,
      signableHeaders: new Set(['content-type', 'host']),
      // Clients send no such headers. Servers that do not read them in the query take the bucket's default.
      hoistableHeaders: new Set(encryptionHeaders),
    })

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

  /** How an object is locked; undefined where the bucket has no Object Lock, or the key may not ask for it. */
  const lockUntil = async (ObjectLockRetainUntilDate: Date) =>
    (await objectLockOf(s3, Bucket))?.isEnabled
      ? { ObjectLockMode: 'COMPLIANCE' as const, ObjectLockRetainUntilDate }
      : undefined

  const put: ObjectStore['put'] = async (key, body, options) => {
    const lock = options.keepUntil && (await lockUntil(options.keepUntil))
    const remove = () => contents.delete([key])
    return putObject({ s3, pool, place: { Bucket, Key: key }, lock, remove }, body, options)
  }

  const appends = bucketAppends({ s3, bucket: Bucket, pool, put, get, remove: contents.delete })

  const judgeUploads = keepVerdict(() =>
    tryUploads(
      {
        ...contents,
        put,
        get,
        addresses,
        isEncrypted: encryption.isEncrypted,
        presign: (address, key) => presign(address, key, { contentType: mp4, expiresIn: 60 }),
        async publicUrl(Key) {
          const url = new URL(await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key })))
          return url.origin + url.pathname
        },
      },
      Bucket,
    ),
  )

  return {
    put,
    ...appends,

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

    get,

    delete: contents.delete,

    async *list(prefix) {
      for await (const info of contents.list(prefix)) if (adoptedKey(info.key) === undefined) yield info
    },

    async *history(prefix, mostBytes) {
      const read = async ({ Key, VersionId }: ObjectIdentifier) => {
        const range = new GetObjectCommand({ Bucket, Key, VersionId, Range: `bytes=0-${mostBytes - 1}` })
        const found = await reading.send(range).catch((error: unknown) => {
          const status = statusOf(error)
          if (status === undefined || busy.includes(status)) throw error
          return { isEmpty: status === 416 }
        })
        const key = Key ?? ''
        if ('isEmpty' in found)
          return { key, bytes: found.isEmpty ? new Uint8Array() : undefined, lockedUntil: undefined }
        const bytes = (await found.Body?.transformToByteArray()) ?? new Uint8Array()
        return { key, bytes, lockedUntil: found.ObjectLockRetainUntilDate }
      }
      const atOnce = Math.max(1, Math.min(readsAtOnce, Math.floor(readsBytes / mostBytes)))
      yield* inOrder(contents.versions(prefix), atOnce, read)
    },

    async *unfinished(prefix) {
      for await (const { Key, Initiated } of uploadsBelow(prefix)) {
        if (Key && Initiated) yield { key: Key, began: Initiated }
      }
      for await (const { key, lastModified } of contents.list(uploadKey(prefix))) {
        yield { key: adoptedKey(key) ?? key, began: lastModified }
      }
    },

    async abortUploads(prefix) {
      const abort = ({ Key, UploadId }: MultipartUpload) =>
        s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })).catch((error: unknown) => {
          // The upload was completed or aborted since it was listed.
          if (statusOf(error) !== 404) throw error
        })
      const brought: string[] = []
      let aborted = 0
      await runAll(
        (async function* () {
          for await (const upload of uploadsBelow(prefix)) {
            aborted++
            yield () => abort(upload)
          }
          for await (const { key } of contents.list(uploadKey(prefix))) brought.push(key)
          yield () => contents.delete(brought)
        })(),
      )
      return aborted + brought.length
    },

    async inspectUpload(key, bytes) {
      // URLs of the release before this one lead to the final key.
      const found = (await inspectObject(s3, Bucket, uploadKey(key))) ?? (await inspectObject(s3, Bucket, key))
      if (!found) return undefined
      const { size, etag } = found
      const range = { end: Math.min(size, bytes) - 1, ifMatch: etag }
      const start = size > 0 ? await buffer(await get(found.key, range)) : new Uint8Array()
      return { ...found, key, start }
    },

    async adoptUpload(Key, etag) {
      const adopted = await findObject(s3, Bucket, Key)
      if (adopted?.etag === etag && (await encryption.isEncrypted(Key))) return adopted
      // An earlier announcement copied another upload and ended before it could register it.
      if (adopted) await contents.delete([Key])
      try {
        const copied = await copyObject({ s3, copying }, { Bucket, from: uploadKey(Key), Key, etag, contentType: mp4 })
        if (await encryption.isEncrypted(Key)) return copied
        // Some servers lose the encryption where they copy.
        await contents.delete([Key])
      } catch (error) {
        if (error instanceof ObjectChangedError) await contents.delete([Key])
        // Ceph up to 19 does not copy what is encrypted.
        if (statusOf(error) !== 501) throw error
      }
      return put(Key, await get(uploadKey(Key), { ifMatch: etag }), { contentType: mp4 })
    },

    judgeUploads,

    checkEncryption: encryption.check,

    async presignPut(key, options) {
      const { safe, notice } = await judgeUploads()
      if (!safe) throw new UnsafeUploadsError(notice)
      return presign(addresses[0] ?? own, uploadKey(key), options)
    },

    async keeping() {
      const { versions, lock, replication } = await keepingOf(s3, Bucket)
      return { versions, lock, replication }
    },

    // Nothing in S3 tells how much room there is.
    room: async () => undefined,

    async check() {
      await s3.send(new HeadBucketCommand({ Bucket }), { abortSignal: AbortSignal.timeout(checkMs) })
      await encryption.check()
    },

    close() {
      for (const client of [s3, reading, copying, ...signers.values()]) client.destroy()
      closeReads()
      encryption.close()
    },
  }
}
