import { createOnce, installationKey, type ObjectStore, type Phase } from '@playtherapy/object-store'
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
  if ((await createOnce(store, installationKey(phase), 'text/plain', () => id)) === id) return
  throw new Error(
    `this bucket's objects of phase ${phase} belong to another database; restore that one, or use another bucket`,
  )
}
