import {
  GetObjectAclCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3'
import type { UploadedObject } from './object-store.ts'
import { statusOf } from './s3-client.ts'

/** Undefined where the server does not know the question, or the key may not ask it: then the canary has to do. */
const unlessUnknown = (error: unknown) => {
  if ([403, 405, 501].includes(statusOf(error) ?? 0)) return undefined
  throw error
}

/** Looks at an uploaded object and at everything that headers of its PUT may have set; undefined when there is none. */
export async function inspectUpload(s3: S3Client, Bucket: string, Key: string): Promise<UploadedObject | undefined> {
  const place = { Bucket, Key }
  const head = await s3.send(new HeadObjectCommand(place)).catch((error: unknown) => {
    // What was encrypted with a key of the client's own cannot be looked at without that key, and is answered 400.
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
 * Whether an object has nothing that a plain PUT does not give it. Encryption by the server is not judged, as a bucket's
 * default sets it too; nor is Cache-Control, which a browser with open developer tools sends.
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
