import { createHash } from 'node:crypto'
import {
  adoptedKey,
  batchesOf,
  type ListedObject,
  type ObjectLock,
  type ObjectStore,
  ObjectsLockedError,
  runAll,
} from '@playtherapy/object-store'

/** Objects removed with one call; S3's own limit. */
const batchKeys = 1_000

/** What is about to be removed of one key. */
export interface Doomed {
  /** SHA-256 of the key, in hex. */
  hash: string
  /** Versions and delete markers. */
  versions: number
  /** Of all versions. */
  bytes: number
  /** Unfinished uploads, and what a presigned URL brought. */
  uploads: number
}

/** Called with each batch before it is removed. */
type Note = (doomed: Doomed[]) => Promise<void>

const ignore: Note = async () => {}

export const hashOf = (key: string) => createHash('sha256').update(key).digest('hex')

const doomedObject = ({ key, versions, size }: ListedObject): Doomed => ({
  hash: hashOf(key),
  versions,
  bytes: size,
  uploads: 0,
})

/** One for each key, which may have several uploads. */
function doomedUploads(uploads: { key: string }[]): Doomed[] {
  const counts = new Map<string, number>()
  for (const { key } of uploads) counts.set(key, (counts.get(key) ?? 0) + 1)
  return [...counts].map(([key, count]) => ({ hash: hashOf(key), versions: 0, bytes: 0, uploads: count }))
}

/**
 * Removes all objects and unfinished uploads whose keys begin with one of these prefixes. Returns what Object Lock keeps. Rejects with
 * the first other failure after it has tried all.
 */
export async function removeBelow(store: ObjectStore, prefixes: string[], note = ignore): Promise<ObjectLock[]> {
  const locks: ObjectLock[] = []
  const collect = (error: unknown) => {
    if (!(error instanceof ObjectsLockedError)) throw error
    // What a presigned URL brought is known by the key that it was for.
    locks.push(...error.locks.map(({ key, until }) => ({ key: adoptedKey(key) ?? key, until })))
  }
  const abort = async (prefix: string) => {
    for await (const uploads of batchesOf(store.unfinished(prefix), batchKeys)) await note(doomedUploads(uploads))
    await store.abortUploads(prefix).catch(collect)
  }
  const remove = async (objects: ListedObject[]) => {
    await note(objects.map(doomedObject))
    await store.delete(objects.map(({ key }) => key)).catch(collect)
  }
  await runAll(
    (async function* () {
      for (const prefix of prefixes) {
        yield () => abort(prefix)
        for await (const objects of batchesOf(store.list(prefix), batchKeys)) yield () => remove(objects)
      }
    })(),
  )
  return locks
}

/** Throws if anything is left below these prefixes but for these keys. */
export async function assertNothingBelow(store: ObjectStore, prefixes: string[], but: Set<string>): Promise<void> {
  for (const prefix of prefixes) {
    for await (const { key } of store.list(prefix)) if (!but.has(key)) throw new Error('an object is left')
    for await (const { key } of store.unfinished(prefix)) {
      if (!but.has(key)) throw new Error('an unfinished upload is left')
    }
  }
}
