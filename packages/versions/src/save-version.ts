import { type ObjectStore, StoreFailedError } from '@playtherapy/object-store'
import { type Database, outlastOutage, type Transaction } from '@playtherapy/schema'
import { SessionGoneError, StaleVersionError, UnchangedError } from './errors.ts'

/**
 * The parts of a save that differ between scripts and reports: the statements of their repositories. The first two may
 * throw StaleVersionError and UnchangedError.
 */
export interface VersionSteps {
  /** Takes the next number and writes the row, pending. Undefined when the session is gone. */
  reserve(): Promise<{ id: number; version: number; key: string } | undefined>
  /** Marks the row stored and moves the session's pointer and states. False when the row is gone. */
  commit(tx: Transaction, id: number, etag: string): Promise<boolean>
  /** Whether the version counts already: a commit whose answer was lost did take place. */
  isStored(id: number): Promise<boolean>
  /** Removes the pending row; its number stays used. */
  release(id: number): Promise<unknown>
}

/**
 * Saves one JSON document as a new version: its number is reserved in the database first, the object is written under
 * that number outside any transaction, and only then the version counts. Resolves with the number when all of it is
 * durable, be it that of an older version with these very bytes. Throws SessionGoneError, StaleVersionError and
 * StoreFailedError, with no object and no row left.
 */
export async function saveVersion(
  { db, store }: { db: Database; store: ObjectStore },
  bytes: Uint8Array,
  { reserve, commit, isStored, release }: VersionSteps,
): Promise<number> {
  const reserved = await reserve().catch(unlessUnchanged)
  if (typeof reserved === 'number') return reserved
  if (!reserved) throw new SessionGoneError()
  const { id, version, key } = reserved
  const discard = async () => {
    await store.delete([key])
    await release(id)
  }
  let etag: string
  try {
    const stored = await store.put(key, bytes, { contentType: 'application/json' })
    etag = stored.etag
  } catch (error) {
    await discard().catch(() => {})
    throw new StoreFailedError('the object store did not take the version', { cause: error })
  }
  const { result, repeated } = await outlastOutage(() => db.transaction((tx) => commit(tx, id, etag))).catch(
    async (error) => {
      if (error instanceof StaleVersionError || error instanceof UnchangedError) await discard().catch(() => {})
      return { result: unlessUnchanged(error), repeated: false }
    },
  )
  if (typeof result === 'number') return result
  if (!result) {
    if (repeated && (await isStored(id))) return version
    // Should the store be down just now: deleting the session announced a later sweep of all below it.
    await discard().catch(() => {})
    throw new SessionGoneError()
  }
  return version
}

/** The number of the version that has these bytes already; throws all other errors. */
function unlessUnchanged(error: unknown): number {
  if (error instanceof UnchangedError) return error.version
  throw error
}
