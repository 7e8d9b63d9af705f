/** A worker process whose jobs only wait for 200 ms, one at a time. Its argument is the URL of the database. */
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { createWorker } from '@playtherapy/jobs'
import { openDatabase } from '@playtherapy/schema'
import { onlyHandler, silent } from '../jobs.ts'

const { PORT, QUEUE_URL = '', QUEUE_PREFIX = '' } = process.env
const database = openDatabase({ url: process.argv[2] ?? '', max: 4, applicationName: 'sleeper' })
const worker = await createWorker({
  queueUrl: QUEUE_URL,
  prefix: QUEUE_PREFIX,
  database,
  log: silent,
  reasonOf: String,
  handlers: onlyHandler(() => sleep(200)),
  concurrency: { 'delete-superseded': 1 },
})
createServer((_, response) => response.end()).listen(Number(PORT), '127.0.0.1')
process.once('SIGTERM', async () => {
  await worker.close()
  await database.close()
  process.exit(0)
})
