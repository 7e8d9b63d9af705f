/** A worker process that takes an encode and never ends it; tells its parent when it has begun and was counted. */
import { openDatabase } from '@playtherapy/schema'
import { createWorker } from '../src/index.ts'
import { handlersWith, reasonOf, silent } from './support.ts'

const [queueUrl = '', prefix = '', databaseUrl = ''] = process.argv.slice(2)
await createWorker({
  queueUrl,
  prefix,
  database: openDatabase({ url: databaseUrl, max: 2, applicationName: 'doomed' }),
  handlers: handlersWith({
    'encode-video': () => {
      setTimeout(() => process.send?.('begun'), 500)
      return new Promise(() => {})
    },
  }),
  log: silent,
  reasonOf,
})
