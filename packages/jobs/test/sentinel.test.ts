import { setTimeout as sleep } from 'node:timers/promises'
import { announce } from '@playtherapy/schema'
import { queueBackends, startRedisSentinels, testDatabase, until } from '@playtherapy/testing'
import t, { type Test } from 'tap'
import { placeAt, scratchFolder } from './support.ts'

const skip = !queueBackends.includes('redis')

/** Starts Sentinels and a worker there. `run` announces a job and resolves when it is done. */
async function placeWithSentinels(t: Test) {
  const sentinels = await startRedisSentinels(await scratchFolder(t))
  t.teardown(() => sentinels.stop())
  const database = await testDatabase(t)
  const place = placeAt(t, database, database.url, sentinels.url, '{test}')
  const seen: number[] = []
  const worker = await place.start({ handlers: { erase: async ({ erasure_id }) => void seen.push(erasure_id) } })
  const run = async (id: number) => {
    await announce(database.db, 'erase', { erasure_id: id })
    await until(`job ${id}`, () => seen.includes(id))
  }
  const isReady = () =>
    worker.checkQueue().then(
      () => true,
      () => false,
    )
  await run(1)
  await until('readiness', isReady)
  return { sentinels, seen, run, isReady }
}

t.test('Sentinels name another server when the master dies', { skip }, async (t) => {
  const { sentinels, seen, run, isReady } = await placeWithSentinels(t)
  await sentinels.master.kill()
  await run(2)
  await run(3)
  await until('readiness', isReady)
  t.strictSame(seen, [1, 2, 3])
})

t.test('they name another one while the old master stays, as its replica', { skip }, async (t) => {
  const { sentinels, seen, run, isReady } = await placeWithSentinels(t)
  // A replica that they do not know yet takes no place.
  await until('the failover', () =>
    sentinels.failOver().then(
      () => true,
      () => false,
    ),
  )
  await run(2)
  await sleep(8_000)
  await run(3)
  await until('readiness', isReady)
  t.strictSame(seen, [1, 2, 3])
})

t.test('all are away for longer than a worker waits for a job', { skip }, async (t) => {
  const { sentinels, seen, run, isReady } = await placeWithSentinels(t)
  await Promise.all([sentinels.kill(), sentinels.master.kill()])
  await sleep(25_000)
  t.notOk(await isReady())
  sentinels.restart()
  await run(2)
  await until('readiness', isReady)
  t.strictSame(seen, [1, 2])
})
