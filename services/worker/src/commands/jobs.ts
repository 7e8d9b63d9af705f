/**
 * `npm run jobs`: shows the jobs that were given up. `npm run jobs -- retry ID…` or `retry all` announces them again,
 * when the cause of their failure has been removed.
 */
import { openDatabase } from '@playtherapy/schema'
import { DatabaseSettings, loadConfig } from '@playtherapy/service-kit'
import { Type } from 'typebox'
import { deadLetters, retry } from './dead-letters.ts'

// Without the name of the command: npm runs it or, in an image, node with its file.
const usage = 'retry (ID… | all)'
const config = loadConfig(Type.Object(DatabaseSettings), process.env)
const database = openDatabase({ url: config.DATABASE_URL, max: 1, applicationName: 'jobs' })
const { db } = database
const [command = 'failed', ...names] = process.argv.slice(2)

if (command === 'failed') {
  const letters = await deadLetters(db)
  for (const { id, name, payload, attempts, failedAt, failure } of letters) {
    console.log(
      `${id}  ${failedAt?.toISOString()}  ${name} ${JSON.stringify(payload)}  ${attempts} attempts: ${failure}`,
    )
  }
  console.log(
    letters.length === 0 ? 'No job was given up.' : `When the cause is removed, run the same command with: ${usage}`,
  )
} else if (command === 'retry' && names.length > 0 && names.every((name) => name === 'all' || /^\d+$/.test(name))) {
  const ids = names.includes('all') ? (await deadLetters(db)).map(({ id }) => id) : names.map(Number)
  for (const id of ids) console.log(`${id}  ${(await retry(db, id)) ? 'announced again' : 'no such dead letter'}`)
} else {
  console.error(`Run it without arguments, or with: ${usage}`)
  process.exitCode = 2
}
await database.close()
