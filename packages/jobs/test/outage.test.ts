import { setTimeout as sleep } from 'node:timers/promises'
import { startPostgres } from '@playtherapy/embedded-postgres'
import { announce, openDatabase } from '@playtherapy/schema'
import { migrate } from '@playtherapy/schema/migrate'
import {
  type QueueBackend,
  queueBackends,
  type RunningRedis,
  randomName,
  startRedis,
  testDatabase,
  until,
} from '@playtherapy/testing'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { RunningWorker } from '../src/index.ts'
import { placeAt, scratchFolder } from './support.ts'

// Each has servers of its own, and waits most of its time.
t.jobs = 3

const resolves = (promise: Promise<unknown>) =>
  promise.then(
    () => true,
    () => false,
  )
const isReady = (worker: RunningWorker) => () => resolves(Promise.all([worker.checkQueue(), worker.checkOutbox()]))

interface Outage {
  name: string
  begin(redis: RunningRedis): unknown
  end(redis: RunningRedis): unknown
}

const outages: Outage[] = [
  { name: 'frozen', begin: (redis) => redis.freeze(), end: (redis) => redis.thaw() },
  { name: 'killed', begin: (redis) => redis.kill(), end: (redis) => redis.restart() },
]

/** bullmq #4585: a worker "ran" and consumed nothing after an outage longer than its blocking read. */
async function surviveOutage(t: Test, { name, begin, end }: Outage) {
  const redis = await startRedis(await scratchFolder(t))
  t.teardown(() => redis.kill())
  const database = await testDatabase(t)
  const place = placeAt(t, database, database.url, redis.url, '{test}')
  const seen: number[] = []
  const worker = await place.start({ handlers: { erase: async ({ erasure_id }) => void seen.push(erasure_id) } })
  await announce(database.db, 'erase', { erasure_id: 1 })
  await until('the first job', () => seen.length === 1)
  await begin(redis)
  await announce(database.db, 'erase', { erasure_id: 2 })
  await until('readiness to fail', async () => !(await isReady(worker)()))
  await sleep(12_000)
  t.equal(await place.outboxRows(), 1, `${name}: the row waits in the outbox`)
  await end(redis)
  await until('the job of the outage', () => seen.length === 2)
  await announce(database.db, 'erase', { erasure_id: 3 })
  await until('the next job', () => seen.length === 3)
  await until('readiness', isReady(worker))
  t.strictSame(seen, [1, 2, 3], `${name}: nothing is lost`)
}

t.test('after an outage of Redis everything goes on', { skip: !queueBackends.includes('redis') }, async (t) => {
  await Promise.all(outages.map((outage) => surviveOutage(t, outage)))
})

async function surviveEmptying(t: Test, backend: QueueBackend) {
  const server = backend === 'redis' ? await startRedis(await scratchFolder(t)) : undefined
  t.teardown(() => server?.kill())
  const database = await testDatabase(t)
  const place = placeAt(t, database, database.url, server?.url ?? database.url, '{test}')
  const seen: number[] = []
  let end = () => {}
  const erase = async ({ erasure_id }: { erasure_id: number }) => {
    seen.push(erasure_id)
    if (erasure_id > 1) return
    await new Promise<void>((resolve) => {
      end = resolve
    })
  }
  await place.start({ handlers: { erase }, concurrency: { erase: 1 } })
  await announce(database.db, 'erase', { erasure_id: 1 })
  await until('the first job', () => seen.length === 1)
  await announce(database.db, 'erase', { erasure_id: 2 })
  await until('the second to wait', async () => (await place.queues.queue('erase').getWaitingCount()) === 1)
  if (server) {
    const client = new Redis(server.url)
    await client.flushall()
    client.disconnect()
  } else await database.sql`delete from bullmq.job`
  end()
  await announce(database.db, 'erase', { erasure_id: 3 })
  await until('the third job', () => seen.length === 2)
  await until('an empty outbox', async () => (await place.outboxRows()) === 0)
  t.strictSame(seen, [1, 3, 2], `${backend}: work goes on, and what was in the queue comes again`)
}

t.test('a queue that was emptied loses nothing', async (t) => {
  await Promise.all(queueBackends.map((backend) => surviveEmptying(t, backend)))
})

async function surviveRestart(t: Test, backend: QueueBackend) {
  const directory = await scratchFolder(t)
  const server = await startPostgres({ directory })
  let stop = server.stop
  t.teardown(() => stop())
  await migrate(server.url)
  const database = openDatabase({ url: server.url, max: 2, applicationName: 'test' })
  t.teardown(() => database.close())
  const queueUrl = backend === 'postgres' ? server.url : (process.env.TEST_REDIS_URL ?? '')
  const place = placeAt(t, database, server.url, queueUrl, `{${randomName()}}`)
  const seen: number[] = []
  const worker = await place.start({ handlers: { erase: async ({ erasure_id }) => void seen.push(erasure_id) } })
  await announce(database.db, 'erase', { erasure_id: 1 })
  await until('the first job', () => seen.length === 1)
  await server.stop()
  await until('readiness to fail', async () => !(await isReady(worker)()))
  await sleep(2_000)
  stop = (await startPostgres({ directory, settings: [`port=${new URL(server.url).port}`] })).stop
  await until('an announcement', () => resolves(announce(database.db, 'erase', { erasure_id: 2 })))
  await until('the second job', () => seen.length === 2)
  await until('the relay to listen', async () => {
    const rows = await database.sql`select 1 from pg_stat_activity where query = 'listen "outbox"'`
    return rows.length === 1
  })
  await announce(database.db, 'erase', { erasure_id: 3 })
  await until('the third job', () => seen.length === 3)
  await until('readiness', isReady(worker))
  t.strictSame(seen, [1, 2, 3], `queue on ${backend}: nothing is lost`)
}

t.test('after a restart of PostgreSQL the relay listens and the worker works', async (t) => {
  for (const backend of queueBackends) await surviveRestart(t, backend)
})
