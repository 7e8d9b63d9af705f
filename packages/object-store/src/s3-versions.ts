import {
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  type ObjectIdentifier,
  paginateListObjectsV2,
  type _Error as Refusal,
  type S3Client,
} from '@aws-sdk/client-s3'
import { type ListedObject, type ObjectLock, ObjectsLockedError } from './object-store.ts'
import { runAll } from './run-all.ts'
import { statusOf } from './s3-client.ts'

/** Objects or versions removed by one request, S3's limit. */
const batchKeys = 1_000
/** For how long a bucket that was found to keep no versions is assumed to keep none. */
const unversionedMs = 60_000

/** Lists and removes objects with all their versions. */
export interface BucketContents {
  /**
   * Removes the objects with their older versions and delete markers. What cannot be removed does not keep the others: then it
   * rejects, with ObjectsLockedError if only locks were in the way.
   */
  delete(keys: readonly string[]): Promise<void>
  /** Every key with an object, an older version or a delete marker, once. */
  list(prefix: string): AsyncGenerator<ListedObject>
  /** Every version of every object, without delete markers. */
  versions(prefix: string): AsyncGenerator<ObjectIdentifier>
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
    if (versioned || performance.now() - askedAt < unversionedMs) return versioned
    const { Status } = await s3.send(new GetBucketVersioningCommand({ Bucket })).catch((error: unknown) => {
      // The server has no versions, or the key may not ask: then only responses to deletes show them.
      if ([403, 404, 405, 501].includes(statusOf(error) ?? 0)) return { Status: undefined }
      throw error
    })
    versioned = Status !== undefined
    askedAt = performance.now()
    return versioned
  }

  /** Removes these objects or versions. Returns whether the bucket kept a version, and what it refused to remove. */
  async function remove(Objects: ObjectIdentifier[]) {
    const { Deleted, Errors = [] } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))
    return {
      kept: Deleted?.some(({ DeleteMarker, VersionId }) => DeleteMarker && !VersionId) ?? false,
      refused: Errors,
    }
  }

  /** The lock of a version; undefined if it has none. */
  async function lockOf({ Key, VersionId }: Refusal): Promise<ObjectLock | undefined> {
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key, VersionId })).catch((error: unknown) => {
      // It was removed meanwhile, or is a delete marker, which nothing locks.
      if (![404, 405].includes(statusOf(error) ?? 0)) throw error
    })
    const key = Key ?? ''
    if (head?.ObjectLockLegalHoldStatus === 'ON') return { key, until: undefined }
    const until = head?.ObjectLockMode && head.ObjectLockRetainUntilDate
    return until && until.getTime() > Date.now() ? { key, until } : undefined
  }

  /** Throws if something was refused. */
  async function settle(refused: Refusal[]): Promise<void> {
    const locks = new Map<string, ObjectLock>()
    for (const refusal of refused) {
      const lock = await lockOf(refusal)
      if (!lock) throw new Error(`${refused.length} objects could not be removed: ${refusal.Code}`)
      const other = locks.get(lock.key)
      // A legal hold has no end, so it is the one that lasts.
      const lasts = !other || (other.until && (!lock.until || lock.until > other.until))
      if (lasts) locks.set(lock.key, lock)
    }
    if (locks.size > 0) throw new ObjectsLockedError([...locks.values()])
  }

  async function* pagesBelow(Prefix: string): AsyncGenerator<ListObjectVersionsCommandOutput> {
    let marker: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } | undefined = {}
    while (marker) {
      const page: ListObjectVersionsCommandOutput = await s3.send(
        new ListObjectVersionsCommand({ Bucket, Prefix, ...marker }),
      )
      marker = page.IsTruncated
        ? { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker }
        : undefined
      yield page
    }
  }

  /** Every key with all its versions, in the order of keys. */
  async function* everythingBelow(
    prefix: string,
  ): AsyncGenerator<{ info: ListedObject; versions: ObjectIdentifier[] }> {
    let found = new Map<string, { info: ListedObject; versions: ObjectIdentifier[] }>()
    for await (const page of pagesBelow(prefix)) {
      const markers = page.DeleteMarkers?.map((deleted) => ({ ...deleted, ETag: '', Size: 0 })) ?? []
      for (const { Key, VersionId, ETag = '', Size = 0, LastModified } of [...(page.Versions ?? []), ...markers]) {
        if (!Key || !LastModified) continue
        const { info, versions } = found.get(Key) ?? {
          info: { key: Key, size: 0, etag: ETag, lastModified: LastModified, versions: 0 },
          versions: [],
        }
        if (LastModified > info.lastModified) Object.assign(info, { etag: ETag, lastModified: LastModified })
        info.size += Size
        info.versions++
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

  async function removeVersions(keys: readonly string[]): Promise<Refusal[]> {
    const refused: Refusal[] = []
    const removeBatch = async (batch: ObjectIdentifier[]) => {
      refused.push(...(await remove(batch)).refused)
    }
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
            yield () => removeBatch(full)
          }
        }
        if (batch.length > 0) yield () => removeBatch(batch)
      })(),
    )
    return refused
  }

  return {
    async delete(keys) {
      if (keys.length === 0) return
      if (await keepsVersions()) return settle(await removeVersions(keys))
      const refused: Refusal[] = []
      const removeBatch = async (batch: readonly string[]) => {
        const removed = await remove(batch.map((Key) => ({ Key })))
        refused.push(...removed.refused)
        if (!removed.kept) return
        versioned = true
        refused.push(...(await removeVersions(batch)))
      }
      const batches = Math.ceil(keys.length / batchKeys)
      await runAll(
        Array.from({ length: batches }, (_, n) => () => removeBatch(keys.slice(n * batchKeys, (n + 1) * batchKeys))),
      )
      await settle(refused)
    },

    async *list(prefix) {
      if (!(await keepsVersions())) {
        for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket, Prefix: prefix })) {
          for (const { Key, Size, ETag, LastModified } of page.Contents ?? []) {
            if (!Key || !ETag || !LastModified) continue
            yield { key: Key, size: Size ?? 0, etag: ETag, lastModified: LastModified, versions: 1 }
          }
        }
        return
      }
      for await (const { info } of everythingBelow(prefix)) yield info
    },

    async *versions(prefix) {
      if (await keepsVersions()) {
        for await (const { Versions = [] } of pagesBelow(prefix)) {
          for (const { Key, VersionId } of Versions) yield { Key, VersionId }
        }
        return
      }
      for await (const { Contents = [] } of paginateListObjectsV2({ client: s3 }, { Bucket, Prefix: prefix })) {
        for (const { Key } of Contents) yield { Key }
      }
    },
  }
}
