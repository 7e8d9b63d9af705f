import { announce, outbox } from '@playtherapy/schema'
import { queueBackends, until } from '@playtherapy/testing'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { PostponedError } from '../src/index.ts'
import { waitingSeconds } from '../src/waiting.ts'
import { testPlace } from './support.ts'

for (const backend of queueBackends) {
  t.test(`on ${backend}, a job that is not due, pauses or was given up does not wait`, async (t) => {
    const { database, queues, start } = await testPlace(t, backend)
    const { db } = database
    const ages = async () => {
      const all = await waitingSeconds(db, queues)
      return { erase: all.get('erase'), webhook: all.get('send-webhook'), names: all.size }
    }
    t.strictSame(await ages(), { erase: 0, webhook: 0, names: 11 }, 'no job at all')

    await announce(db, 'erase', { erasure_id: 1 }, { delaySeconds: 60 })
    await announce(db, 'erase', { erasure_id: 2 })
    await db.update(outbox).set({ failedAt: sql`now()`, failure: 'x' }).where(sql`payload ->> 'erasure_id' = '2'`)
    t.match(await ages(), { erase: 0 })

    const availableAt = sql`now() - interval '90 s'`
    await db.insert(outbox).values({ name: 'erase', payload: { erasure_id: 3 }, availableAt })
    const { erase } = await ages()
    t.ok(erase && erase >= 90, 'one that the queue does not have yet waits')

    let postponed = 0
    const worker = await start({
      handlers: {
        async erase() {
          postponed += 1
          throw new PostponedError(60_000)
        },
      },
    })
    await until('the pause', async () => (await queues.queue('erase').getDelayedCount()) === 1)
    t.match(await ages(), { erase: 0 })
    t.equal(postponed, 1)
    await worker.close()
  })
}
