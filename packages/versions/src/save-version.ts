import { type ObjectStore, StoreSilentError, storeUnavailable } from '@playtherapy/object-store'
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
  /** The document is no longer needed: its source or its predecessor was replaced. */
  | { kind: 'unwanted' }

/** The current version has the same bytes. */
type Unchanged = { kind: 'unchanged'; version: number }

/** `version` is the number of the version that holds the document. */
export type SaveOutcome = { kind: 'saved'; version: number } | Refusal

/** The statements of a save that differ between scripts and reports. A refusal is returned and not thrown. */
export interface VersionSteps {
  table: typeof scriptVersions | typeof reportVersions
  /** Reserves the next number by a pending row; `key` is that of the object. */
  reserve(): Promise<{ kind: 'reserved'; id: number; version: number; key: string } | Unchanged | Refusal>
  /**
   * Marks the row stored, and sets the session's pointer and states; a refusal changes nothing. Locks the session and then
   * the row, as a deletion does. It may run again after an outage.
   */
  commit(tx: Transaction, id: number, etag: string): Promise<{ kind: 'stored' } | Unchanged | Refusal>
}

/**
 * Saves a JSON document as a new version: a number is reserved in the database, the object is stored outside any
 * transaction, and the commit makes the version readable. Resolves when it is durable. After a refusal or StoreFailedError
 * object and row are removed. While the store is down, and after a commit whose result nobody knows, they stay until the
 * reaper of the worker removes what was not committed.
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
    // A store that hangs would keep the client waiting; the reaper removes what is left.
    if (!(error instanceof StoreSilentError)) await discard().catch(() => {})
    throw storeUnavailable(error)
  })

  const { result, repeated } = await outlastOutage(() => db.transaction((tx) => commit(tx, id, etag)))
  if (result.kind === 'stored') return { kind: 'saved', version }
  // An earlier attempt may have committed although its response was lost.
  if (repeated && (await db.$count(table, rowIn('stored'))) > 0) return { kind: 'saved', version }
  // If the store is down now, object and row stay until the reaper removes them, after three minutes.
  await discard().catch(() => {})
  return result.kind === 'unchanged' ? { kind: 'saved', version: result.version } : result
}
