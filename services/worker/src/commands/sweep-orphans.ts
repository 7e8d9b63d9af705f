/**
 * `npm run sweep-orphans`: removes objects without a row that are older than the grace period, as workers do every hour.
 * With `--dry-run` it only lists them. Keys hold ids and no names.
 */
import { parseArgs } from 'node:util'
import { openDatabase } from '@playtherapy/schema'
import { DatabaseSettings, loadConfig } from '@playtherapy/service-kit'
import { Type } from 'typebox'
import { openWorkerStore, ReconcileSettings } from '../config.ts'
import { assertOwnBucket } from '../reconcile/installation.ts'
import { findOrphans, sweepOrphans } from '../reconcile/orphans.ts'

const { values } = parseArgs({ options: { 'dry-run': { type: 'boolean', default: false } } })
const config = loadConfig(Type.Object({ ...DatabaseSettings, ...ReconcileSettings }), process.env)
const database = openDatabase({ url: config.DATABASE_URL, max: 1, applicationName: 'sweep-orphans' })
const store = openWorkerStore(process.env)
const resources = { db: database.db, store, phase: config.PHASE }
await assertOwnBucket(database.db, store, config.PHASE)

if (values['dry-run']) {
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
  console.log(`${await sweepOrphans(resources, config.ORPHAN_GRACE_SECONDS)} removed`)
}
store.close()
await database.close()
