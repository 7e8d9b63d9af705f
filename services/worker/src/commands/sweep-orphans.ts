import { openDatabase } from '@playtherapy/schema'
import { beginProgram, DatabaseSettings, reach, StoreSettings } from '@playtherapy/service-kit'
import { Type } from 'typebox'
import { openWorkerStore, ReconcileSettings } from '../config.ts'
import { assertOwnBucket, installationId } from '../reconcile/installation.ts'
import { findOrphans, sweepOrphansAlone } from '../reconcile/orphans.ts'

const { config, options } = beginProgram({
  name: 'sweep-orphans',
  summary: 'Removes objects without a row that are older than the grace period, as a worker does every hour.',
  // Keys contain ids and no names.
  usage: ['--dry-run  only lists them'],
  settings: Type.Object({ ...DatabaseSettings, ...ReconcileSettings }),
  otherSettings: Type.Object(StoreSettings),
  options: ['dry-run'],
})
const database = openDatabase({ url: config.DATABASE_URL, max: 2, applicationName: 'sweep-orphans' })
const store = openWorkerStore(process.env)
const resources = { db: database.db, store, phase: config.PHASE }
const id = await reach('The database', config.DATABASE_URL, () => installationId(database.db))
await reach('The object store', process.env.S3_ENDPOINT, () => assertOwnBucket(id, store, config.PHASE))

if (options.has('dry-run')) {
  let count = 0
  let bytes = 0
  for await (const orphans of findOrphans(resources, config.ORPHAN_GRACE_SECONDS)) {
    for (const { key, size } of orphans) {
      console.log(size === undefined ? `${key} (unfinished upload)` : `${key} ${size}`)
      count++
      bytes += size ?? 0
    }
  }
  console.log(`${count} without an owner, ${bytes} bytes; nothing was removed`)
} else {
  console.log(`${await sweepOrphansAlone(resources, config.ORPHAN_GRACE_SECONDS)} removed`)
}
store.close()
await database.close()
