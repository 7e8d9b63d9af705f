import { randomUUID } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { uploadKey } from './keys.ts'
import { NotEncryptedError } from './object-store.ts'
import { createsObject, openClient, type S3Settings, statusOf } from './s3-client.ts'

/** How the objects of a bucket are encrypted. */
export interface BucketEncryption {
  /** Whether an object is encrypted as the settings say; true where they say nothing. */
  isEncrypted(key: string): Promise<boolean>
  /**
   * Writes an object in one request, and one in parts, and looks how they are encrypted, until both were right once. Rejects
   * with NotEncryptedError if the server refuses the encryption or ignores it.
   */
  check(): Promise<void>
  /** Lets this client create objects only after `check` has succeeded. */
  guard(client: S3Client): void
  close(): void
}

/** Server-side encryption as the settings ask for it. {@link openClient} asks the server for it with each object. */
export function bucketEncryption(settings: S3Settings): BucketEncryption {
  const { bucket: Bucket, encryption: wanted } = settings
  if (!wanted) return { isEncrypted: async () => true, check: async () => {}, guard: () => {}, close: () => {} }
  const s3 = openClient(settings)
  const { ServerSideEncryption, SSEKMSKeyId } = wanted
  // An alias is resolved by the server, and an id is answered as an ARN.
  const named = SSEKMSKeyId?.includes('alias/') ? undefined : SSEKMSKeyId

  async function isEncrypted(Key: string): Promise<boolean> {
    const { ServerSideEncryption: how, SSEKMSKeyId: by } = await s3.send(new HeadObjectCommand({ Bucket, Key }))
    return (
      how === ServerSideEncryption && (!named || by === named || [':', '/'].some((end) => by?.endsWith(end + named)))
    )
  }

  async function putInParts(Key: string): Promise<void> {
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
    const upload = { Bucket, Key, UploadId }
    try {
      const { ETag } = await s3.send(new UploadPartCommand({ ...upload, PartNumber: 1, Body: 'encryption' }))
      const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] }
      await s3.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload }))
    } catch (error) {
      // If this fails, the bucket's rule removes the part after two days.
      await s3.send(new AbortMultipartUploadCommand(upload)).catch(() => {})
      throw error
    }
  }

  async function tryIt(): Promise<void> {
    // A refusal of this has nothing to do with encryption.
    await s3.send(new HeadBucketCommand({ Bucket }))
    const place = uploadKey(`canary/${randomUUID()}/encryption`)
    // Recordings come in parts. A server may encrypt only what comes in one request, or lack a right of the key that joining needs.
    await tryOne('an object', place, (Key) => s3.send(new PutObjectCommand({ Bucket, Key, Body: 'encryption' })))
    await tryOne('an object in parts', `${place}-parts`, putInParts)
  }

  async function tryOne(what: string, Key: string, write: (key: string) => Promise<unknown>): Promise<void> {
    try {
      await write(Key)
    } catch (error) {
      const status = statusOf(error) ?? 0
      if (![400, 403, 405, 501].includes(status)) throw error
      const name = error instanceof Error && /^[\w.]{1,64}$/.test(error.name) ? ` ${error.name}` : ''
      throw new NotEncryptedError(`it refuses ${what} with the encryption (${status}${name})`)
    }
    const remove = () => s3.send(new DeleteObjectCommand({ Bucket, Key }))
    const isAsAsked = await isEncrypted(Key).finally(remove)
    if (!isAsAsked) throw new NotEncryptedError(`it stores ${what} without the encryption`)
  }

  let trying: Promise<void> | undefined
  const check = () => {
    trying ??= tryIt().catch((error: unknown) => {
      trying = undefined
      throw error
    })
    return trying
  }

  return {
    isEncrypted,
    check,
    guard(client) {
      client.middlewareStack.add(
        (next, { commandName = '' }) =>
          async (args) => {
            if (createsObject(commandName)) await check()
            return next(args)
          },
        { step: 'initialize', name: 'checkedEncryption' },
      )
    },
    close: () => s3.destroy(),
  }
}
