import { type ObjectStore, StoreFailedError } from '@playtherapy/object-store'
import {
  type Database,
  outlastOutage,
  type reportVersions,
  type scriptVersions,
  type Transaction,
} from '@playtherapy/schema'
import { and, eq } from 'drizzle-orm'

/** Why a save made no version. */
type Refusal =
  /** The session, or the row that was reserved in it, was deleted. */
  | { kind: 'missing' }
  /** The save may not replace the current version; `current` is its number, 0 for none. */
  | { kind: 'stale'; current: number }
  /** What the document was made from, or for, has been replaced. */
  | { kind: 'unwanted' }

/** The current version, `version`, has these very bytes. */
type Unchanged = { kind: 'unchanged'; version: number }

/** `version` is the number of the version that holds the document. */
export type SaveOutcome = { kind: 'saved'; version: number } | Refusal

/** The statements of a save that differ between scripts and reports. None of them throws because of what it finds. */
export interface VersionSteps {
  table: typeof scriptVersions | typeof reportVersions
  /** Takes the next number and inserts the version's row, pending. `key` is the object's. */
  reserve(): Promise<{ kind: 'reserved'; id: number; version: number; key: string } | Unchanged | Refusal>
  /**
   * Marks the row stored and moves the session's pointer and states; without a change where it refuses. Locks the
   * session first and the row afterwards, as a deletion does. May run again after an outage.
   */
  commit(tx: Transaction, id: number, etag: string): Promise<{ kind: 'stored' } | Unchanged | Refusal>
}

/**
 * Saves one JSON document as a new version: its number is reserved in the database first, then the object is written
 * under that number, outside any transaction, and only the commit makes the version readable. Resolves when all of it
 * is durable, or was refused, or with a StoreFailedError; object and row are then removed. While the store is down, or after
 * a commit whose result nobody knows, they stay until the reaper of the worker removes what was not committed.
 */
export async function saveVersion(
  { db, store }: { db: Database; store: Pick<ObjectStore, 'put' | 'delete'> },
  bytes: Uint8Array,
  { table, reserve, commit }: VersionSteps,
): Promise<SaveOutcome> {
  const reserved = await reserve()
  if (reserved.kind === 'unchanged') return { kind: 'saved', version: reserved.version }
  if (reserved.kind !== 'reserved') return reserved
  const { id, version, key } = reserved
  const rowIn = (state: 'pending' | 'stored') => and(eq(table.id, id), eq(table.state, state))
  const discard = async () => {
    await store.delete([key])
    await db.delete(table).where(rowIn('pending'))
  }

  const { etag } = await store.put(key, bytes, { contentType: 'application/json' }).catch(async (error: unknown) => {
    await discard().catch(() => {})
    throw new StoreFailedError('the object store did not store the version', { cause: error })
  })

  const { result, repeated } = await outlastOutage(() => db.transaction((tx) => commit(tx, id, etag)))
  if (result.kind === 'stored') return { kind: 'saved', version }
  // An earlier attempt may have committed although its answer was lost; then what the last one found is its own version.
  if (repeated && (await db.$count(table, rowIn('stored'))) > 0) return { kind: 'saved', version }
  // If the store is down now, object and row stay until the reaper removes them, after three minutes.
  await discard().catch(() => {})
  return result.kind === 'unchanged' ? { kind: 'saved', version: result.version } : result
}
