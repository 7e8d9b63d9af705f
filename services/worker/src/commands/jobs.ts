import { type Database, deadLetters, failedJobs, openDatabase, retry } from '@playtherapy/schema'
import { beginProgram, DatabaseSettings, reach, UsageError } from '@playtherapy/service-kit'
import { Type } from 'typebox'
import { encodeAgain } from './encode-again.ts'

const { config, words } = beginProgram({
  name: 'jobs',
  summary: 'Shows the jobs that were given up, and announces jobs again.',
  usage: [
    '           without words it shows them',
    'retry ID…  announces these again; the exit code is 1 if one of them does not exist',
    'retry all  announces all again that failed, without those that were refused',
    'encode-again',
    '           announces the encode of every recording that an older release encoded, for HLS and still pictures',
  ],
  settings: Type.Object(DatabaseSettings),
  takesWords: true,
})
const [command, ...names] = words
const isRetry = command === 'retry' && names.length > 0 && names.every((name) => name === 'all' || /^\d+$/.test(name))
const isEncodeAgain = command === 'encode-again' && names.length === 0
if (command !== undefined && !isRetry && !isEncodeAgain)
  throw new UsageError('There is an argument that it does not know')

async function show(letters: Awaited<ReturnType<typeof deadLetters>>) {
  for (const { id, name, payload, attempts, failedAt, failure, isRefused } of letters) {
    const how = isRefused ? 'refused' : `failed after ${attempts} attempts`
    console.log(`${id}  ${failedAt?.toISOString()}  ${name} ${JSON.stringify(payload)}  ${how}: ${failure}`)
  }
  console.log(
    letters.length === 0 ? 'No job was given up.' : 'When the cause is removed, add to this command: retry ID…',
  )
}

async function retryNamed(db: Database) {
  for (const id of names.map(Number)) {
    const isKnown = Number.isSafeInteger(id) && (await retry(db, id))
    if (isKnown) console.log(`${id}  announced again`)
    else {
      console.error(`${id}  there is no such job`)
      process.exitCode = 1
    }
  }
}

/** What fails again meanwhile has a new id, and is left. */
async function retryAll(db: Database) {
  for (const id of await failedJobs(db)) {
    if (await retry(db, id)) console.log(`${id}  announced again`)
  }
}

await reach('The database', config.DATABASE_URL, async () => {
  const { db, close } = openDatabase({ url: config.DATABASE_URL, max: 1, applicationName: 'jobs' })
  if (isRetry) await (names.includes('all') ? retryAll(db) : retryNamed(db))
  else if (isEncodeAgain) {
    const announced = await encodeAgain(db, (count) => console.log(`${count} announced`))
    if (announced === 0) console.log('Every recording has been encoded by this release, or has a job already.')
  } else await show(await deadLetters(db))
  await close()
})
