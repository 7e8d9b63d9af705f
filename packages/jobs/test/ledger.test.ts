import { announce } from '@playtherapy/schema'
import { queueBackends, testDatabase, until } from '@playtherapy/testing'
import t from 'tap'
import { countJobs, type JobContext, PermanentError } from '../src/index.ts'
import { testPlace } from './support.ts'

for (const backend of queueBackends) {
  t.test(backend, async (t) => {
    t.test('a job that the queue lost is announced again, once, and done', async (t) => {
      const place = await testPlace(t, backend)
      await announce(place.database.db, 'erase', { erasure_id: 1 }, { requestId: 'request-1' })
      await announce(place.database.db, 'erase', { erasure_id: 2 })
      // Published long ago, and the queue was wiped since.
      await place.database.sql`update outbox set published_at = now() - interval '1 minute', attempts = id - 1`
      const seen: unknown[] = []
      const erase = async ({ erasure_id }: { erasure_id: number }, { requestId, attempt }: JobContext) => {
        seen.push([erasure_id, requestId, attempt])
      }
      await Promise.all([place.start({ handlers: { erase } }), place.start({ handlers: { erase } })])
      await until('an empty outbox', async () => (await place.outboxRows()) === 0)
      t.strictSame(seen.sort(), [
        [1, 'request-1', 1],
        [2, null, 2],
      ])
    })

    t.test('a job that waits in the queue is left there', async (t) => {
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
      const [before] = await place.database.sql`select id from outbox`
      await place.database.sql`update outbox set published_at = now() - interval '1 minute'`
      await until('a look at it', async () => {
        const [row] = await place.database.sql`select 1 from outbox where published_at > now() - interval '30 seconds'`
        return row !== undefined
      })
      t.strictSame([...(await place.database.sql`select id from outbox`)], [before])
      finish()
      await until('an empty outbox', async () => (await place.outboxRows()) === 0)
      t.equal(runs, 1)
    })

    t.test('a job given up stays with its reason and is not done again', async (t) => {
      const place = await testPlace(t, backend)
      let runs = 0
      await place.start({
        handlers: {
          erase: async () => {
            runs += 1
            throw new PermanentError('There is no way.')
          },
        },
      })
      await announce(place.database.db, 'erase', { erasure_id: 1 })
      await until(
        'the end',
        async () => (await place.database.sql`select 1 from outbox where failed_at is null`).length === 0,
      )
      t.strictSame(
        [...(await place.database.sql`select name, attempts, failure from outbox`)],
        [{ name: 'erase', attempts: 1, failure: 'There is no way.' }],
      )
      t.equal(runs, 1)
    })

    t.test('attempts that killed their process are counted, and the job is given up', async (t) => {
      const place = await testPlace(t, backend)
      let runs = 0
      const failures: unknown[] = []
      await place.database.sql`
        insert into outbox (name, payload, attempts) values ('encode-video', '{"video_id": 4}', 10)`
      await place.start({
        handlers: { 'encode-video': async () => void runs++ },
        onFailed: { 'encode-video': async (payload) => failures.push(payload) > 0 },
      })
      await until('the end', () => failures.length > 0)
      t.equal(runs, 0)
      t.strictSame(failures, [{ video_id: 4 }])
      const dead = () => place.database.sql`select 1 from outbox where failed_at is not null`
      await until('a dead letter', async () => (await dead()).length === 1)
    })

    t.test('a job whose subject was deleted leaves no dead letter', async (t) => {
      const place = await testPlace(t, backend)
      await place.start({
        handlers: {
          'encode-video': async () => {
            throw new PermanentError('The file was removed.')
          },
        },
        onFailed: { 'encode-video': async () => false },
      })
      await announce(place.database.db, 'encode-video', { video_id: 4 })
      await until('an empty outbox', async () => (await place.outboxRows()) === 0)
    })
  })
}

t.test('jobs are counted by what they wait for', async (t) => {
  const { db, sql } = await testDatabase(t)
  await announce(db, 'erase', { erasure_id: 1 })
  await announce(db, 'erase', { erasure_id: 2 }, { delaySeconds: 60 })
  await announce(db, 'erase', { erasure_id: 3 })
  await announce(db, 'erase', { erasure_id: 4 })
  await sql`update outbox set published_at = now(), available_at = now() - interval '90 s' where id = 3`
  await sql`update outbox set failed_at = now(), failure = 'x' where id = 4`
  await announce(db, 'encode-video', { video_id: 5 })
  await sql`update outbox set failed_at = now(), failure = 'x', is_refused = true where id = 5`
  const { jobs_oldest_seconds: oldest, ...counts } = await countJobs(db)
  t.strictSame(counts, { jobs_unpublished: 1, jobs_published: 1, jobs_failed: 1, jobs_refused: 1 })
  t.ok(oldest && oldest >= 90)
})
