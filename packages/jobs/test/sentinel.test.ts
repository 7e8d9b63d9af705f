import { announce } from '@playtherapy/schema'
import { queueBackends, startRedisSentinels, testDatabase, until } from '@playtherapy/testing'
import t from 'tap'
import { placeAt, scratchFolder } from './support.ts'

t.test('Sentinels name another server when the master dies', { skip: !queueBackends.includes('redis') }, async (t) => {
  const sentinels = await startRedisSentinels(await scratchFolder(t))
  t.teardown(() => sentinels.stop())
  const database = await testDatabase(t)
  const place = placeAt(t, database, database.url, sentinels.url, '{test}')
  const seen: number[] = []
  const worker = await place.start({ handlers: { erase: async ({ erasure_id }) => void seen.push(erasure_id) } })
  await announce(database.db, 'erase', { erasure_id: 1 })
  await until('the first job', () => seen.length === 1)
  await worker.checkQueue()

  await sentinels.master.kill()
  await announce(database.db, 'erase', { erasure_id: 2 })
  await until('the job on the replica', () => seen.length === 2)
  await announce(database.db, 'erase', { erasure_id: 3 })
  await until('the next job', () => seen.length === 3)
  await until('readiness', () =>
    worker.checkQueue().then(
      () => true,
      () => false,
    ),
  )
  t.strictSame(seen, [1, 2, 3])
})
