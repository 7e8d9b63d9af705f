import { setTimeout as sleep } from 'node:timers/promises'
import {
  CopyObjectCommand,
  GetObjectAclCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3'
import { ObjectChangedError, ObjectMissingError, type UploadedObject } from './object-store.ts'
import { statusOf } from './s3-client.ts'

/** Undefined where the server does not know the request or the key may not send it: then only the canary protects. */
const unlessUnknown = (error: unknown) => {
  if ([403, 405, 501].includes(statusOf(error) ?? 0)) return undefined
  throw error
}

/** Reads what headers of a PUT can set of the object that it stored; undefined when there is none. */
export async function inspectObject(
  s3: S3Client,
  Bucket: string,
  Key: string,
): Promise<Omit<UploadedObject, 'start'> | undefined> {
  const place = { Bucket, Key }
  const head = await s3.send(new HeadObjectCommand(place)).catch((error: unknown) => {
    // An object that a client encrypted with its own key cannot be read without that key: the server returns 400.
    if (statusOf(error) === 404 || statusOf(error) === 400) return undefined
    throw error
  })
  if (!head) return undefined
  if (!head.ETag || !head.LastModified) throw new Error('the object store gave no ETag or time')
  const [acl, tags] = await Promise.all([
    s3.send(new GetObjectAclCommand(place)).catch(unlessUnknown),
    s3.send(new GetObjectTaggingCommand(place)).catch(unlessUnknown),
  ])
  const owner = acl?.Owner?.ID
  const isOwners = acl?.Grants?.every(({ Grantee }) => Grantee?.ID !== undefined && Grantee.ID === owner) ?? true
  const isPlain = isOwners && !tags?.TagSet?.length && hasNoMore(head)
  return { key: Key, size: head.ContentLength ?? 0, etag: head.ETag, lastModified: head.LastModified, isPlain }
}

/**
 * Whether an object has only what a plain PUT gives it. Encryption by the server is ignored, because a bucket's default may
 * set it, and Cache-Control, because a browser with open developer tools sends it.
 */
function hasNoMore(head: HeadObjectCommandOutput): boolean {
  const more = [
    head.WebsiteRedirectLocation,
    head.ContentEncoding,
    head.ContentDisposition,
    head.ContentLanguage,
    head.TagCount,
    head.SSECustomerAlgorithm,
    head.ObjectLockLegalHoldStatus === 'OFF' ? undefined : head.ObjectLockLegalHoldStatus,
    head.ObjectLockMode,
    head.StorageClass === 'STANDARD' ? undefined : head.StorageClass,
  ]
  return Object.keys(head.Metadata ?? {}).length === 0 && more.every((value) => !value)
}

/** Where an upload is, and where it belongs. */
interface Copy {
  Bucket: string
  from: string
  Key: string
  /** The version of the upload. */
  etag: string
  contentType: string
}

/** Size and ETag of an object; undefined when there is none. */
export async function findObject(s3: S3Client, Bucket: string, Key: string) {
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key })).catch((error: unknown) => {
    if (statusOf(error) !== 404) throw error
  })
  if (!head) return undefined
  if (head.ContentLength === undefined || !head.ETag) throw new Error('the object store gave no length or ETag')
  return { size: head.ContentLength, etag: head.ETag }
}

/** A server may copy for so long, and may send no byte meanwhile. */
export const copyMs = 300_000
/** Pause before it is looked again whether a copy whose response was lost has ended. */
const lookAgainMs = 1_000

/** A gateway broke the connection, or gave up waiting for the server. */
const mayGoOn = (error: unknown) => [undefined, 504].includes(statusOf(error))

/**
 * Copies one version of an object inside the server to a key without an object; only its bytes come along. S3 copies up to
 * 5 GiB in one request, the most that a single PUT can bring. If the response is lost, the copy may go on, so it is waited
 * for. Rejects with ObjectChangedError unless that version was copied, and with ObjectMissingError. `copying` is a client
 * that waits through a silence of `copyMs`.
 */
export async function copyObject(
  { s3, copying }: { s3: S3Client; copying: S3Client },
  { Bucket, from, Key, etag, contentType }: Copy,
) {
  const end = performance.now() + copyMs
  const copy = new CopyObjectCommand({
    ...{ Bucket, Key, ContentType: contentType, MetadataDirective: 'REPLACE', TaggingDirective: 'REPLACE' },
    ...{ CopySource: encodeURI(`${Bucket}/${from}`), CopySourceIfMatch: etag, IfNoneMatch: '*' },
  })
  const failure = await copying.send(copy).then(
    () => undefined,
    (error: unknown) => error,
  )
  let made = await findObject(s3, Bucket, Key)
  while (!made && failure && mayGoOn(failure) && performance.now() < end) {
    await sleep(lookAgainMs)
    made = await findObject(s3, Bucket, Key)
  }
  if (!made) {
    if (statusOf(failure) === 404) throw new ObjectMissingError(from)
    if (statusOf(failure) === 412) throw new ObjectChangedError(from)
    throw failure ?? new Error('the object store made no copy')
  }
  // Some servers (Ceph 16) ignore the condition of the copy, and with KMS a copy has another ETag than its source.
  if (made.etag !== etag && (await findObject(s3, Bucket, from))?.etag !== etag) throw new ObjectChangedError(from)
  return made
}
