import { auditChange, type Database, openDatabase } from '@playtherapy/schema'
import { beginProgram, DatabaseSettings, reach, StoreSettings, UsageError } from '@playtherapy/service-kit'
import { Type } from 'typebox'
import { giveOut } from '../audit/export.ts'
import { heads, restores, writeRestore } from '../audit/head.ts'
import { type Verified, verify } from '../audit/verify.ts'
import { openWorkerStore, ReconcileSettings } from '../config.ts'
import { idFrom } from './id-from.ts'

const { config, words, values } = beginProgram({
  name: 'audit',
  summary: 'Verifies or exports the trail of who saw and changed what.',
  usage: [
    'verify     compares all events with their seals, and those with the object store; the exit code is 1 if one was changed, is missing or was inserted',
    'continue   says for good, in the object store, that a restore of the database has lost the events of which only the object store knows; verify then counts them and finds no fault in them',
    'export     prints events, one a line, oldest first; of all that is between --from and --to, or of one case',
    '--from DATE, --to DATE',
    '           such as 2026-11-27 or 2026-11-27T08:00:00Z; --to itself is not in it',
    '--case ID  only events of this case',
    '--format fhir',
    '           as AuditEvent of FHIR R4, otherwise plain JSON',
  ],
  settings: Type.Object({ ...DatabaseSettings, PHASE: ReconcileSettings.PHASE }),
  otherSettings: Type.Object(StoreSettings),
  takesWords: true,
  values: ['from', 'to', 'case', 'format'],
})
const [command, ...others] = words
if (others.length > 0 || !['verify', 'continue', 'export'].includes(command ?? ''))
  throw new UsageError('There is a word that it does not know')
if (command !== 'export' && values.size > 0)
  throw new UsageError(`There is an option of export that ${command} does not know`)

/** Faults that are printed; all are counted. */
const mostPrinted = 100

/** The moment that an option names; throws UsageError for what names none. */
function momentOf(option: 'from' | 'to'): Date | undefined {
  const text = values.get(option)
  if (text === undefined) return undefined
  const moment = new Date(/^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/.test(text) ? text : Number.NaN)
  if (Number.isNaN(moment.getTime())) throw new UsageError(`--${option} is a date that it does not know`)
  return moment
}

function caseOf(): number | undefined {
  const text = values.get('case')
  if (text === undefined) return undefined
  const id = idFrom(text)
  if (id === undefined) throw new UsageError('--case is an id that it does not know')
  return id
}

function formatOf(): 'json' | 'fhir' {
  const format = values.get('format') ?? 'json'
  if (format !== 'json' && format !== 'fhir') throw new UsageError('--format is one that it does not know')
  return format
}

/** Ids from the first to the last one, of which there may be more than a call can have arguments. */
const rangeOf = (heads: { id: number }[]) => {
  const ids = heads.map(({ id }) => id).sort((a, b) => a - b)
  return `${ids.at(0)} to ${ids.at(-1)}`
}

/** Prints what a verification finds; a fault sets the exit code. */
async function printVerdict(run: ReturnType<typeof verify>): Promise<Verified & { faults: number }> {
  for (let faults = 0; ; ) {
    const { done, value } = await run.next()
    if (done) {
      const { sealed, unsealed, heads, locked, lost } = value
      console.log(
        `${sealed} events are as they were sealed, ${unsealed} are not sealed yet, ${heads} agree with the object store, which has locked ${locked} of these.`,
      )
      if (lost > 0)
        console.log(`${lost} heads in the object store are of events that a restore of the database has lost.`)
      if (faults > 0) {
        console.log(`${faults} faults.`)
        process.exitCode = 1
      }
      return { ...value, faults }
    }
    if (faults++ < mostPrinted) console.log(`${value.id}  ${value.fault}`)
  }
}

async function examine(db: Database): Promise<void> {
  const store = openWorkerStore(process.env)
  const resources = { db, store, phase: config.PHASE }
  const { foreign, lastId, faults } = await printVerdict(verify(db, heads(resources)))
  for await (const restore of restores(resources)) {
    if ('unreadable' in restore) continue
    const { at, lost } = restore
    console.log(
      `On ${at} an operator said that a restore had lost the events of ${lost.length} heads, ${rangeOf(lost)}.`,
    )
  }
  if (command === 'verify' && foreign.length > 0) {
    console.log(
      `The object store has ${foreign.length} heads, of events ${rangeOf(foreign)}, that are not of this trail, whose last sealed event is ${lastId}. ` +
        'If the database was restored from a backup, "audit continue" says so for good. If it was not, somebody has changed the trail: keep the database and the bucket as they are.',
    )
  }
  if (command === 'continue') {
    if (foreign.length === 0)
      console.log('There is nothing to continue: every head in the object store is of this trail.')
    else {
      // The event is first: a command that is killed in between leaves no restore of which the trail does not know, and is repeated.
      await db.transaction((tx) => auditChange(tx, 'audit', undefined))
      await writeRestore(resources, lastId, foreign)
      console.log(
        `The object store now says that a restore has lost the events of ${foreign.length} heads, ${rangeOf(foreign)}.`,
      )
      if (faults === foreign.length) process.exitCode = 0
    }
  }
  store.close()
}

const wanted = command === 'export' && {
  from: momentOf('from'),
  to: momentOf('to'),
  caseId: caseOf(),
  format: formatOf(),
}
await reach('The database', config.DATABASE_URL, async () => {
  const { db, close } = openDatabase({ url: config.DATABASE_URL, max: 1, applicationName: 'audit' })
  if (wanted) for await (const line of giveOut(db, wanted)) process.stdout.write(line)
  else await examine(db)
  await close()
})
