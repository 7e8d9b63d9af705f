import { text } from 'node:stream/consumers'
import {
  installationKey,
  ObjectExistsError,
  ObjectMissingError,
  type ObjectStore,
  type Phase,
} from '@playtherapy/object-store'
import { type Database, installation } from '@playtherapy/schema'

/** The id of a database, by which its bucket is known. Rejects on a database without our tables. */
export async function installationId(db: Database): Promise<string> {
  const [own] = await db.select().from(installation)
  if (!own) throw new Error('the database does not name its installation')
  return own.id
}

/**
 * Makes sure that database and bucket belong together, before a worker removes objects that this database does not know: a
 * fresh or wrong database, or a second installation in the same bucket and phase, knows none of the recordings. The first
 * worker writes the database's `id` into the bucket. Rejects when the bucket has another id.
 */
export async function assertOwnBucket(id: string, store: ObjectStore, phase: Phase): Promise<void> {
  const key = installationKey(phase)
  const read = async () => text(await store.get(key))
  const found = await read().catch(async (error: unknown) => {
    if (!(error instanceof ObjectMissingError)) throw error
    await store.put(key, Buffer.from(id), { contentType: 'text/plain' }).catch((putError: unknown) => {
      // Another worker was faster.
      if (!(putError instanceof ObjectExistsError)) throw putError
    })
    return read()
  })
  if (found === id) return
  throw new Error(
    `this bucket's objects of phase ${phase} belong to another database; restore that one, or use another bucket`,
  )
}
