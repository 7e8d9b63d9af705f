/** Reaches servers as our processes do. Its argument is a JSON object of addresses by kind; prints `ok` or the reason for each. */
import { checkQueue } from '@playtherapy/jobs'
import { createS3Store, type S3Settings } from '@playtherapy/object-store'
import { openDatabase } from '@playtherapy/schema'
import { migrate } from '@playtherapy/schema/migrate'
import { reasonOf } from '@playtherapy/service-kit'

interface Asked {
  database: string[]
  queue: string[]
  store: S3Settings[]
}

async function reach(trying: Promise<unknown>): Promise<string> {
  return trying.then(() => 'ok', reasonOf)
}

async function query(url: string): Promise<void> {
  const { sql, close } = openDatabase({ url, max: 1, applicationName: 'test' })
  const [row] = await sql`select ssl from pg_stat_ssl where pid = pg_backend_pid()`.finally(close)
  if (row?.ssl !== true) throw new Error('the connection is not encrypted')
}

async function useStore(settings: S3Settings): Promise<void> {
  const store = createS3Store(settings)
  await store.check().finally(store.close)
}

const { database, queue, store }: Asked = JSON.parse(process.argv[2] ?? '')
const outcomes = {
  migrate: await reach(migrate(database[0] ?? '')),
  database: await Promise.all(database.map((url) => reach(query(url)))),
  queue: await Promise.all(queue.map((url) => reach(checkQueue({ url })))),
  store: await Promise.all(store.map((settings) => reach(useStore(settings)))),
}
console.log(JSON.stringify(outcomes))
