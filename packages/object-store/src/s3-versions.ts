import {
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  type ObjectIdentifier,
  paginateListObjectsV2,
  type S3Client,
} from '@aws-sdk/client-s3'
import type { ObjectInfo } from './object-store.ts'
import { runAll } from './run-all.ts'
import { statusOf } from './s3-client.ts'

/** Objects or versions removed by one request, S3's limit. */
const batchKeys = 1_000
/** For how long a bucket that was found to keep no versions is assumed to keep none. */
const unversionedMs = 60_000

/** Lists and removes objects with all their versions. */
export interface BucketContents {
  /** Removes the objects with their older versions and delete markers. */
  delete(keys: readonly string[]): Promise<void>
  /** Every key with an object, an older version or a delete marker, once. */
  list(prefix: string): AsyncGenerator<ObjectInfo>
}

/**
 * In a versioned bucket a DELETE adds a marker and keeps the bytes. The versioning is asked for once a minute at most. A
 * bucket that kept versions once counts as versioned for ever, because suspension leaves the old ones. If versioning is
 * turned on between two questions, the response to a delete shows it by a marker.
 */
export function bucketContents(s3: S3Client, Bucket: string): BucketContents {
  let askedAt = Number.NEGATIVE_INFINITY
  let versioned = false

  async function keepsVersions(): Promise<boolean> {
    if (versioned || Date.now() - askedAt < unversionedMs) return versioned
    const { Status } = await s3.send(new GetBucketVersioningCommand({ Bucket })).catch((error: unknown) => {
      // The server has no versions, or the key may not ask: then only responses to deletes show them.
      if ([403, 404, 405, 501].includes(statusOf(error) ?? 0)) return { Status: undefined }
      throw error
    })
    versioned = Status !== undefined
    askedAt = Date.now()
    return versioned
  }

  /** Removes these objects or versions; true when the bucket kept a version. */
  async function remove(Objects: ObjectIdentifier[]): Promise<boolean> {
    const { Deleted, Errors } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))
    if (Errors?.length) throw new Error(`${Errors.length} objects could not be removed: ${Errors[0]?.Code}`)
    return Deleted?.some(({ DeleteMarker, VersionId }) => DeleteMarker && !VersionId) ?? false
  }

  /** Every key with all its versions, in the order of keys. */
  async function* everythingBelow(Prefix: string): AsyncGenerator<{ info: ObjectInfo; versions: ObjectIdentifier[] }> {
    let found = new Map<string, { info: ObjectInfo; versions: ObjectIdentifier[] }>()
    let marker: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } | undefined = {}
    while (marker) {
      const page: ListObjectVersionsCommandOutput = await s3.send(
        new ListObjectVersionsCommand({ Bucket, Prefix, ...marker }),
      )
      marker = page.IsTruncated
        ? { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker }
        : undefined
      const markers = page.DeleteMarkers?.map((deleted) => ({ ...deleted, ETag: '', Size: 0 })) ?? []
      for (const { Key, VersionId, ETag = '', Size = 0, LastModified } of [...(page.Versions ?? []), ...markers]) {
        if (!Key || !LastModified) continue
        const { info, versions } = found.get(Key) ?? {
          info: { key: Key, size: 0, etag: ETag, lastModified: LastModified },
          versions: [],
        }
        if (LastModified > info.lastModified) Object.assign(info, { etag: ETag, lastModified: LastModified })
        info.size += Size
        versions.push({ Key, VersionId })
        found.set(Key, { info, versions })
      }
      // The next page may continue the last key of this one.
      const last = [...found.keys()].sort().at(-1) ?? ''
      const rest = found.get(last)
      found.delete(last)
      yield* [...found.values()].sort((a, b) => (a.info.key < b.info.key ? -1 : 1))
      found = new Map(rest && [[last, rest]])
    }
    yield* found.values()
  }

  async function removeVersions(keys: readonly string[]): Promise<void> {
    await runAll(
      (async function* () {
        let batch: ObjectIdentifier[] = []
        for (const key of keys) {
          for await (const { info, versions } of everythingBelow(key)) {
            // Longer keys that begin with this one come after it, and are other objects.
            if (info.key === key) batch.push(...versions)
            break
          }
          for (; batch.length >= batchKeys; batch = batch.slice(batchKeys)) {
            const full = batch.slice(0, batchKeys)
            yield () => remove(full)
          }
        }
        if (batch.length > 0) yield () => remove(batch)
      })(),
    )
  }

  return {
    async delete(keys) {
      if (keys.length === 0) return
      if (await keepsVersions()) return removeVersions(keys)
      const removeBatch = async (batch: readonly string[]) => {
        if (!(await remove(batch.map((Key) => ({ Key }))))) return
        versioned = true
        await removeVersions(batch)
      }
      const batches = Math.ceil(keys.length / batchKeys)
      await runAll(
        Array.from({ length: batches }, (_, n) => () => removeBatch(keys.slice(n * batchKeys, (n + 1) * batchKeys))),
      )
    },

    async *list(prefix) {
      if (!(await keepsVersions())) {
        for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket, Prefix: prefix })) {
          for (const { Key, Size, ETag, LastModified } of page.Contents ?? []) {
            if (Key && ETag && LastModified) yield { key: Key, size: Size ?? 0, etag: ETag, lastModified: LastModified }
          }
        }
        return
      }
      for await (const { info } of everythingBelow(prefix)) yield info
    },
  }
}
