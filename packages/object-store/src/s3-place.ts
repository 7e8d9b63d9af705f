import { GetObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { LRUCache } from 'lru-cache'
import { openClient, type S3Settings } from './s3-client.ts'

/** Seconds in which a read may start: the gateway makes it at once. */
const placeSeconds = 60
/** How long a place is given out again, in milliseconds: who seeks asks often, and signing costs more than all else. */
const reuseMs = 30_000

/** Path and query on the object store's own address of one version of an object, for a read of it or of a range. */
export type FindPlace = (key: string, etag: string) => Promise<string>

/**
 * Lets a gateway read an object in our stead. What it is given opens one version of one object for a minute: the ETag,
 * which it has to send as If-Match, is part of the signature.
 */
export function createFindPlace(settings: S3Settings): FindPlace {
  const s3 = openClient(settings)
  const places = new LRUCache<string, string>({ max: 1_000, ttl: reuseMs })
  return async (Key, IfMatch) => {
    const version = `${Key} ${IfMatch}`
    const known = places.get(version)
    if (known) return known
    const command = new GetObjectCommand({ Bucket: settings.bucket, Key, IfMatch })
    const { pathname, search } = new URL(await getSignedUrl(s3, command, { expiresIn: placeSeconds }))
    const place = pathname + search
    places.set(version, place)
    return place
  }
}
