import { GetObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { openClient, type S3Settings } from './s3-client.ts'

/** Seconds in which a read may start: the gateway makes it at once. */
const placeSeconds = 60

/** Path and query on the object store's own address of one version of an object, for a read of it or of a range. */
export type FindPlace = (key: string, etag: string) => Promise<string>

/**
 * Lets a gateway read an object in our stead. What it is given opens one version of one object for a minute: the ETag,
 * which it has to send as If-Match, is part of the signature.
 */
export function createFindPlace(settings: S3Settings): FindPlace {
  const s3 = openClient(settings)
  return async (Key, IfMatch) => {
    const command = new GetObjectCommand({ Bucket: settings.bucket, Key, IfMatch })
    const { pathname, search } = new URL(await getSignedUrl(s3, command, { expiresIn: placeSeconds }))
    return pathname + search
  }
}
