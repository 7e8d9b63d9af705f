import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  PutBucketCorsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { abortable } from './abortable.ts'
import {
  type GetOptions,
  ObjectChangedError,
  ObjectExistsError,
  ObjectMissingError,
  type ObjectStore,
  type PresignPutOptions,
  type PutOptions,
} from './object-store.ts'

export interface S3Settings {
  /** The server; AWS itself when unset. */
  endpoint?: string
  /** The same server as browsers reach it; presigned URLs are made for it, because their signature covers the host. */
  publicEndpoint?: string
  region: string
  bucket: string
  accessKeyId: string
  secretAccessKey: string
  /** The bucket in the path rather than in the host name; most servers other than AWS need it. */
  forcePathStyle: boolean
}

/** Bytes of a part: with the 10,000 parts that S3 allows this reaches 80 GiB. */
const partSize = 8 * 1024 ** 2
/** Parts on their way at once; together with the one being filled this bounds an upload's memory to 24 MiB. */
const queueSize = 2
/** Objects removed by one request, S3's limit. */
const deleteBatch = 1_000
/** A connection with no byte moving for so long is given up; a transfer may last for hours. Milliseconds. */
const idleMs = 60_000

const client = (settings: S3Settings, endpoint = settings.endpoint) =>
  new S3Client({
    region: settings.region,
    ...(endpoint && { endpoint }),
    forcePathStyle: settings.forcePathStyle,
    credentials: { accessKeyId: settings.accessKeyId, secretAccessKey: settings.secretAccessKey },
    // The default adds trailing CRC32s to streams, which several S3 servers refuse or store as content.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 3,
    requestHandler: {
      connectionTimeout: 5_000,
      requestTimeout: idleMs,
      throwOnRequestTimeout: true,
      socketTimeout: idleMs,
      httpAgent: { keepAlive: true, maxSockets: 256 },
      httpsAgent: { keepAlive: true, maxSockets: 256 },
    },
  })

const statusOf = (error: unknown) => (error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined)

/** An object store in a bucket of S3, or of a server that speaks its protocol. */
export function createS3Store(settings: S3Settings): ObjectStore {
  const s3 = client(settings)
  const presigning = settings.publicEndpoint ? client(settings, settings.publicEndpoint) : s3
  const Bucket = settings.bucket

  async function abortUploads(prefix: string): Promise<number> {
    let aborted = 0
    let markers: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } | undefined = {}
    while (markers) {
      const page: Awaited<ReturnType<typeof listUploads>> = await listUploads(prefix, markers)
      for (const { Key, UploadId } of page.Uploads ?? []) {
        await s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })).catch((error) => {
          // Completed or aborted by somebody else since it was listed.
          if (statusOf(error) !== 404) throw error
        })
        aborted++
      }
      markers = page.IsTruncated
        ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
        : undefined
    }
    return aborted
  }
  const listUploads = (
    Prefix: string,
    markers: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined },
  ) => s3.send(new ListMultipartUploadsCommand({ Bucket, Prefix, ...markers }))

  return {
    async put(key, body, { contentType, signal }: PutOptions) {
      let size = 0
      async function* counted() {
        for await (const part of inParts(abortable(body, signal))) {
          size += part.length
          yield part
        }
      }
      const upload = new Upload({
        client: s3,
        params: {
          Bucket,
          Key: key,
          ContentType: contentType,
          Body: Readable.from(counted(), { objectMode: true, highWaterMark: 1 }),
          IfNoneMatch: '*',
        },
        partSize,
        queueSize,
      })
      const stop = () => void upload.abort()
      signal?.addEventListener('abort', stop, { once: true })
      try {
        signal?.throwIfAborted()
        const { ETag } = await upload.done()
        // Ceph's answer to the end of a multipart upload can come without it.
        const etag = ETag || (await s3.send(new HeadObjectCommand({ Bucket, Key: key }))).ETag
        if (!etag) throw new Error('the object store gave no ETag')
        return { size, etag }
      } catch (error) {
        // The library leaves parts behind when it is stopped while it begins or ends an upload.
        await abortUploads(key).catch(() => 0)
        if (statusOf(error) === 412) throw new ObjectExistsError(key)
        throw error
      } finally {
        signal?.removeEventListener('abort', stop)
      }
    },

    async head(key) {
      try {
        const head = await s3.send(new HeadObjectCommand({ Bucket, Key: key }))
        if (!head.ETag || !head.LastModified) throw new Error('the object store gave no ETag or time')
        return { key, size: head.ContentLength ?? 0, etag: head.ETag, lastModified: head.LastModified }
      } catch (error) {
        if (statusOf(error) === 404) return undefined
        throw error
      }
    },

    async get(key, { start = 0, end, ifMatch, signal }: GetOptions = {}) {
      const ranged = start > 0 || end !== undefined
      try {
        const { Body } = await s3.send(
          new GetObjectCommand({
            Bucket,
            Key: key,
            ...(ranged && { Range: `bytes=${start}-${end ?? ''}` }),
            ...(ifMatch && { IfMatch: ifMatch }),
          }),
          { ...(signal && { abortSignal: signal }) },
        )
        if (!(Body instanceof Readable)) throw new Error('the object store gave no stream')
        if (signal) abortStream(Body, signal)
        return Body
      } catch (error) {
        if (statusOf(error) === 404) throw new ObjectMissingError(key)
        if (statusOf(error) === 412) throw new ObjectChangedError(key)
        throw error
      }
    },

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

    abortUploads,

    presignPut: (key, { contentType, expiresIn }: PresignPutOptions) =>
      getSignedUrl(presigning, new PutObjectCommand({ Bucket, Key: key, ContentType: contentType }), {
        expiresIn,
        signableHeaders: new Set(['content-type', 'host']),
      }),

    async check() {
      await s3.send(new HeadBucketCommand({ Bucket }), { abortSignal: AbortSignal.timeout(2_000) })
    },

    close() {
      s3.destroy()
      if (presigning !== s3) presigning.destroy()
    },
  }
}

/** Destroys a body, and with it the socket it holds, when the reader has lost interest. */
function abortStream(body: Readable, signal: AbortSignal): void {
  const stop = () => body.destroy()
  signal.addEventListener('abort', stop, { once: true })
  body.once('close', () => signal.removeEventListener('abort', stop))
  if (signal.aborted) stop()
}

/** Small chunks gathered into whole parts, so that no chunk keeps a parser's larger buffer alive. */
async function* inParts(body: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let part = Buffer.allocUnsafeSlow(partSize)
  let filled = 0
  for await (const chunk of body) {
    for (let taken = 0; taken < chunk.length; ) {
      const piece = chunk.subarray(taken, taken + partSize - filled)
      part.set(piece, filled)
      taken += piece.length
      filled += piece.length
      if (filled < partSize) continue
      yield part
      part = Buffer.allocUnsafeSlow(partSize)
      filled = 0
    }
  }
  if (filled > 0) yield part.subarray(0, filled)
}

/**
 * Makes the bucket if it is missing, lets browsers of these origins PUT to presigned URLs and GET, and has unfinished
 * uploads removed after two days. Returns what the server would not do, for the log.
 */
export async function prepareBucket(
  settings: S3Settings,
  { corsOrigins }: { corsOrigins: string[] },
): Promise<string[]> {
  const s3 = client(settings)
  const Bucket = settings.bucket
  const refused: string[] = []
  try {
    await s3.send(new HeadBucketCommand({ Bucket })).catch(async (error) => {
      if (statusOf(error) !== 404) throw error
      await s3.send(new CreateBucketCommand({ Bucket }))
    })
    const rules = {
      cors: new PutBucketCorsCommand({
        Bucket,
        CORSConfiguration: {
          CORSRules: [
            {
              AllowedOrigins: corsOrigins,
              AllowedMethods: ['PUT', 'GET'],
              AllowedHeaders: ['Authorization', 'Content-Type'],
              ExposeHeaders: ['ETag'],
              MaxAgeSeconds: 600,
            },
          ],
        },
      }),
      lifecycle: new PutBucketLifecycleConfigurationCommand({
        Bucket,
        LifecycleConfiguration: {
          Rules: [
            {
              ID: 'abort-unfinished-uploads',
              Status: 'Enabled',
              Filter: { Prefix: '' },
              AbortIncompleteMultipartUpload: { DaysAfterInitiation: 2 },
            },
          ],
        },
      }),
    }
    await s3.send(rules.cors).catch((error: Error) => refused.push(`CORS (${error.name})`))
    await s3.send(rules.lifecycle).catch((error: Error) => refused.push(`lifecycle (${error.name})`))
    return refused
  } finally {
    s3.destroy()
  }
}
