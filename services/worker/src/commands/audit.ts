import { openDatabase } from '@playtherapy/schema'
import { beginProgram, DatabaseSettings, reach, StoreSettings, UsageError } from '@playtherapy/service-kit'
import { Type } from 'typebox'
import { exportEvents } from '../audit/export.ts'
import { heads } from '../audit/head.ts'
import { verify } from '../audit/verify.ts'
import { openWorkerStore, ReconcileSettings } from '../config.ts'

const { config, words, values } = beginProgram({
  name: 'audit',
  summary: 'Verifies or exports the trail of who saw and changed what.',
  usage: [
    'verify     compares all events with their seals, and those with the object store; the exit code is 1 if one was changed, is missing or was inserted',
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
if (others.length > 0 || (command !== 'verify' && command !== 'export'))
  throw new UsageError('There is a word that it does not know')
if (command === 'verify' && values.size > 0)
  throw new UsageError('There is an option of export that verify does not know')

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
  if (!/^[1-9]\d{0,9}$/.test(text) || Number(text) > 2_147_483_647)
    throw new UsageError('--case is an id that it does not know')
  return Number(text)
}

function formatOf(): 'json' | 'fhir' {
  const format = values.get('format') ?? 'json'
  if (format !== 'json' && format !== 'fhir') throw new UsageError('--format is one that it does not know')
  return format
}

async function printVerdict(db: Parameters<typeof verify>[0]): Promise<void> {
  const store = openWorkerStore(process.env)
  const run = verify(db, heads({ store, phase: config.PHASE }))
  let faults = 0
  for (;;) {
    const { done, value } = await run.next()
    if (done) {
      const { sealed, unsealed, heads } = value
      console.log(
        `${sealed} events are as they were sealed, ${unsealed} are not sealed yet, ${heads} agree with the object store.`,
      )
      break
    }
    if (faults++ < mostPrinted) console.log(`${value.id}  ${value.fault}`)
  }
  if (faults > 0) {
    console.log(`${faults} faults.`)
    process.exitCode = 1
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
  if (wanted) for await (const line of exportEvents(db, wanted)) process.stdout.write(line)
  else await printVerdict(db)
  await close()
})
