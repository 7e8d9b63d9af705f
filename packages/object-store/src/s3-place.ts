import { GetObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { LRUCache } from 'lru-cache'
import { openClient, type S3Settings } from './s3-client.ts'

/** Seconds within which a read must start; the gateway starts it at once. */
const placeSeconds = 60
/** For how long a place is reused, because players seek often and signing is the most expensive step. */
const reuseMs = 30_000

/** Returns path and query, on the store's own address, for reads of one version of an object. */
export type FindPlace = (key: string, etag: string) => Promise<string>

/**
 * Lets a gateway read objects instead of us. A place is valid for one version of one object for a minute: the signature
 * covers the ETag, which the gateway must send as If-Match.
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
