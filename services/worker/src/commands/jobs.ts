import { openDatabase } from '@playtherapy/schema'
import { beginProgram, DatabaseSettings, reach, UsageError } from '@playtherapy/service-kit'
import { Type } from 'typebox'
import { deadLetters, retry } from './dead-letters.ts'

const { config, words } = beginProgram({
  name: 'jobs',
  summary: 'Shows the jobs that were given up, and announces them again when the cause is removed.',
  usage: [
    '           without words it shows them',
    'retry ID…  announces these again; the exit code is 1 if one of them does not exist',
    'retry all  announces all again that failed, without those that were refused',
  ],
  settings: Type.Object(DatabaseSettings),
  takesWords: true,
})
const [command, ...names] = words
const isRetry = command === 'retry' && names.length > 0 && names.every((name) => name === 'all' || /^\d+$/.test(name))
if (command !== undefined && !isRetry) throw new UsageError('There is an argument that it does not know')

async function show(letters: Awaited<ReturnType<typeof deadLetters>>) {
  for (const { id, name, payload, attempts, failedAt, failure, isRefused } of letters) {
    const how = isRefused ? 'refused' : `failed after ${attempts} attempts`
    console.log(`${id}  ${failedAt?.toISOString()}  ${name} ${JSON.stringify(payload)}  ${how}: ${failure}`)
  }
  console.log(
    letters.length === 0 ? 'No job was given up.' : 'When the cause is removed, add to this command: retry ID…',
  )
}

await reach('The database', config.DATABASE_URL, async () => {
  const { db, close } = openDatabase({ url: config.DATABASE_URL, max: 1, applicationName: 'jobs' })
  const letters = await deadLetters(db)
  if (!isRetry) await show(letters)
  const ids = names.includes('all')
    ? letters.flatMap(({ id, isRefused }) => (isRefused ? [] : [id]))
    : names.map(Number)
  for (const id of ids) {
    const isKnown = Number.isSafeInteger(id) && (await retry(db, id))
    if (isKnown) console.log(`${id}  announced again`)
    else {
      console.error(`${id}  there is no such job`)
      process.exitCode = 1
    }
  }
  await close()
})
