import { openDatabase } from '@playtherapy/schema'
import { beginProgram, DatabaseSettings, reach, StoreSettings, UsageError } from '@playtherapy/service-kit'
import { Type } from 'typebox'
import { openWorkerStore, ReconcileSettings } from '../config.ts'
import { ImportError, openArchive } from '../import/archive.ts'
import { importCase } from '../import/import-case.ts'
import { assertOwnBucket, installationId } from '../reconcile/installation.ts'
import { idFrom } from './id-from.ts'

const { config, words, values } = beginProgram({
  name: 'import-case',
  summary:
    'Brings a case that was exported into this installation. It connects as the owner of the tables, as migrate does.',
  usage: [
    'FILE           the file as it was downloaded',
    '--therapist N  the number of the therapist to whom the case belongs from then on',
  ],
  settings: Type.Object({ ...DatabaseSettings, PHASE: ReconcileSettings.PHASE }),
  otherSettings: Type.Object(StoreSettings),
  takesWords: true,
  values: ['therapist'],
})
const [file, ...more] = words
const therapist = idFrom(values.get('therapist') ?? '')
if (file === undefined || more.length > 0) throw new UsageError('It needs one file')
if (therapist === undefined) throw new UsageError('It needs a therapist, such as --therapist 12')

const database = openDatabase({ url: config.DATABASE_URL, max: 2, applicationName: 'import-case' })
const store = openWorkerStore(process.env)
const { db } = database
const id = await reach('The database', config.DATABASE_URL, () => installationId(db))
await reach('The object store', process.env.S3_ENDPOINT, () => assertOwnBucket(id, store, config.PHASE))
try {
  const archive = await openArchive(file)
  const { missing } = archive.manifest
  const made = await importCase({ db, store, phase: config.PHASE }, archive, therapist).finally(archive.close)
  console.log(`case ${made.caseId}  sessions ${made.sessions}  recordings ${made.recordings}`)
  for (const { path } of missing) console.log(`${path} was lost or damaged before the export and is not in the file`)
} catch (error) {
  if (!(error instanceof ImportError)) throw error
  console.error(`${error.message} Nothing was imported.`)
  process.exitCode = 1
}
store.close()
await database.close()
