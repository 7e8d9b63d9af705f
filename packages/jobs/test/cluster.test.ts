import { announce } from '@playtherapy/schema'
import { queueBackends, startRedisCluster, testDatabase, until } from '@playtherapy/testing'
import t from 'tap'
import { placeAt, scratchFolder } from './support.ts'

t.test('a Redis cluster, by whichever node', { skip: !queueBackends.includes('redis') }, async (t) => {
  const nodes = await startRedisCluster(await scratchFolder(t))
  t.teardown(() => Promise.all(nodes.map((node) => node.kill())))
  const seen: number[] = []
  const workers = await Promise.all(
    nodes.map(async ({ url }, number) => {
      const database = await testDatabase(t)
      // A prefix is one slot, so most of these queues are on another node than the one that was named.
      const place = placeAt(t, database, database.url, url.replace('redis:', 'redis+cluster:'), `{node-${number}}`)
      const worker = await place.start({ handlers: { erase: async ({ erasure_id }) => void seen.push(erasure_id) } })
      await worker.checkQueue()
      return { worker, announce: (id: number) => announce(database.db, 'erase', { erasure_id: id }) }
    }),
  )
  await Promise.all(workers.map((each, number) => each.announce(1 + number)))
  await until('a job on each', () => seen.length === nodes.length)

  await Promise.all(nodes.map((node) => node.kill()))
  await Promise.all(workers.map((each, number) => each.announce(11 + number)))
  for (const { worker } of workers) await t.rejects(worker.checkQueue())
  await Promise.all(nodes.map((node) => node.restart()))
  await until('the jobs of the outage', () => seen.length === 2 * nodes.length)
  t.strictSame(seen.toSorted(), [1, 11, 12, 13, 2, 3])
})
