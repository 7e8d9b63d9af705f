import { openDatabase } from '@playtherapy/schema'
import { beginProgram, DatabaseSettings, reach, UsageError } from '@playtherapy/service-kit'
import { Type } from 'typebox'
import { ageFrom, expire, findExpired } from '../erase/retention.ts'

const { config, options, values } = beginProgram({
  name: 'retention',
  summary:
    'Erases the recordings of cases that have been finished for long; scripts and reports stay. Nothing does so by itself.',
  usage: [
    '--finished-before AGE  of cases that were finished, and not used since, so long ago: 5y, 18m or 400d;',
    '                       a case with a newer session, recording, script or report keeps all',
    '--dry-run              only lists them',
  ],
  settings: Type.Object(DatabaseSettings),
  options: ['dry-run'],
  values: ['finished-before'],
})
const age = ageFrom(values.get('finished-before') ?? '')
if (!age) throw new UsageError('It needs an age, such as --finished-before 5y, 18m or 400d')

const database = openDatabase({ url: config.DATABASE_URL, max: 2, applicationName: 'retention' })
await reach('The database', config.DATABASE_URL, async () => {
  const { db } = database
  let count = 0
  for await (const expired of findExpired(db, age)) {
    const { caseId, sessionId, recordings } = expired
    const place = `case ${caseId}  session ${sessionId}`
    if (options.has('dry-run')) {
      console.log(`${place}  recordings ${recordings}`)
      count += recordings
      continue
    }
    for (const { videoId, erasure } of await expire(db, expired, age)) {
      console.log(`${place}  recording ${videoId}  erasure ${erasure}`)
      count++
    }
  }
  const outcome = options.has('dry-run') ? 'would be erased; nothing was' : 'deleted; workers remove their objects'
  console.log(`${count} ${count === 1 ? 'recording' : 'recordings'} ${outcome}`)
})
await database.close()
