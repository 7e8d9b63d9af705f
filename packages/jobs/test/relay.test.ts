import { announce } from '@playtherapy/schema'
import { queueBackends, until } from '@playtherapy/testing'
import t from 'tap'
import { silent, testPlace } from './support.ts'

for (const backend of queueBackends) {
  t.test(backend, async (t) => {
    t.test('what is announced is done once, by whichever of two workers', async (t) => {
      const place = await testPlace(t, backend)
      const seen = new Map<number, number>()
      const requests = new Set<string | null>()
      const erase = async ({ erasure_id: id }: { erasure_id: number }, context: { requestId: string | null }) => {
        seen.set(id, (seen.get(id) ?? 0) + 1)
        requests.add(context.requestId)
      }
      await place.start({ handlers: { erase } })
      await place.start({ handlers: { erase } })
      await Promise.all(
        Array.from({ length: 250 }, (_, index) =>
          announce(place.database.db, 'erase', { erasure_id: index + 1 }, { requestId: 'request-1' }),
        ),
      )
      await until('250 jobs', () => seen.size === 250)
      await until('an empty outbox', async () => (await place.outboxRows()) === 0)
      await until(
        'no job left',
        async () => (await place.queues.queue('erase').getJobCountByTypes('wait', 'active')) === 0,
      )
      t.strictSame([...new Set(seen.values())], [1])
      t.strictSame([...requests], ['request-1'])
    })

    t.test('a row published twice is one job', async (t) => {
      const place = await testPlace(t, backend)
      let runs = 0
      let finish = () => {}
      const held = new Promise<void>((resolve) => {
        finish = resolve
      })
      const erase = async () => {
        runs += 1
        await held
      }
      await place.start({ handlers: { erase } })
      await announce(place.database.db, 'erase', { erasure_id: 1 })
      await until('the job', () => runs === 1)
      // As if the mark had not been committed.
      await place.database.sql`update outbox set published_at = null`
      await place.database.sql`notify outbox`
      await until('another publication', async () => (await place.unpublishedRows()) === 0)
      finish()
      await until('an empty outbox', async () => (await place.outboxRows()) === 0)
      const queue = place.queues.queue('erase')
      await until('no job left', async () => (await queue.getJobCountByTypes('wait', 'active', 'delayed')) === 0)
      t.equal(runs, 1)
    })

    t.test('a transaction rolled back announces nothing', async (t) => {
      const place = await testPlace(t, backend)
      const seen: number[] = []
      await place.start({ handlers: { erase: async ({ erasure_id }) => void seen.push(erasure_id) } })
      await place.database.db
        .transaction(async (tx) => {
          await announce(tx, 'erase', { erasure_id: 1 })
          throw new Error('rolled back')
        })
        .catch(() => undefined)
      await announce(place.database.db, 'erase', { erasure_id: 2 })
      await until('the second', () => seen.length > 0)
      t.strictSame(seen, [2])
    })

    t.test('a delayed row waits for its time and not for the next poll', async (t) => {
      const place = await testPlace(t, backend)
      const seen: number[] = []
      await place.start({ handlers: { erase: async ({ erasure_id }) => void seen.push(erasure_id) } })
      await announce(place.database.db, 'erase', { erasure_id: 1 }, { delaySeconds: 1 })
      await announce(place.database.db, 'erase', { erasure_id: 2 })
      await until('both', () => seen.length === 2)
      t.strictSame(seen, [2, 1])
    })

    t.test('a row that is no known job is left aside and holds nobody up', async (t) => {
      const place = await testPlace(t, backend)
      const seen: number[] = []
      const lines: object[] = []
      const log = { ...silent, error: (fields: object) => void lines.push(fields) }
      await place.database.sql`
        insert into outbox (name, payload, available_at) values
          ('brew-tea', '{}', now() - interval '1 hour'),
          ('erase', '{"erasure_id": "one"}', now() - interval '1 hour')`
      await announce(place.database.db, 'erase', { erasure_id: 3 })
      await place.start({ handlers: { erase: async ({ erasure_id }) => void seen.push(erasure_id) }, log })
      await until('the known one', () => seen.length === 1)
      t.strictSame(seen, [3])
      await until('the good row to go', async () => (await place.outboxRows()) === 2)
      t.match(lines, [{ job: 'brew-tea' }, { job: 'erase' }])
      const [due] = await place.database.sql<{ rows: number }[]>`
        select count(*)::int as rows from outbox where available_at <= now()`
      t.equal(due?.rows, 0)
    })
  })
}
