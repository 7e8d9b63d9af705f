/** A worker process that takes an encode and never ends it; tells its parent when it has begun. */
import { openDatabase } from '@playtherapy/schema'
import { createWorker } from '../src/index.ts'
import { handlersWith, silent } from './support.ts'

const [queueUrl = '', prefix = '', databaseUrl = ''] = process.argv.slice(2)
await createWorker({
  queueUrl,
  prefix,
  database: openDatabase({ url: databaseUrl, max: 2, applicationName: 'doomed' }),
  handlers: handlersWith({
    'encode-video': () => {
      process.send?.('begun')
      return new Promise(() => {})
    },
  }),
  log: silent,
})
