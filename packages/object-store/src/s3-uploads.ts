import {
  GetObjectAclCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3'
import type { UploadedObject } from './object-store.ts'
import { statusOf } from './s3-client.ts'

/** Undefined where the server does not know the request or the key may not send it: then only the canary protects. */
const unlessUnknown = (error: unknown) => {
  if ([403, 405, 501].includes(statusOf(error) ?? 0)) return undefined
  throw error
}

/** Reads an uploaded object and all that headers of its PUT can set; undefined when there is none. */
export async function inspectUpload(s3: S3Client, Bucket: string, Key: string): Promise<UploadedObject | undefined> {
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
