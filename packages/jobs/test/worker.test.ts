import { announce } from '@playtherapy/schema'
import { queueBackends, until } from '@playtherapy/testing'
import t from 'tap'
import { createWorker } from '../src/index.ts'
import { handlersWith, reasonOf, silent, testPlace } from './support.ts'

for (const backend of queueBackends) {
  t.test(backend, async (t) => {
    t.test('a job that ignores its signal does not keep the process', async (t) => {
      const place = await testPlace(t, backend)
      let started = false
      let end = () => {}
      const worker = await place.start({
        handlers: {
          'encode-video': () => {
            started = true
            return new Promise((resolve) => {
              end = resolve
            })
          },
        },
      })
      await announce(place.database.db, 'encode-video', { video_id: 13 })
      await until('the job to start', () => started)
      await worker.close(200)
      end()
      t.equal(await place.queues.queue('encode-video').getActiveCount(), 1)
    })

    t.test('a closing worker hands its job to another', async (t) => {
      const place = await testPlace(t, backend)
      const events: string[] = []
      const first = await place.start({
        handlers: {
          'encode-video': (_, { signal, attempt }) => {
            events.push(`first, attempt ${attempt}`)
            return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
          },
        },
      })
      await announce(place.database.db, 'encode-video', { video_id: 11 })
      await until('the job to start', () => events.length === 1)
      await first.close(1_000)
      const queue = place.queues.queue('encode-video')
      t.equal(await queue.getActiveCount(), 0)
      t.equal(await queue.getWaitingCount(), 1)
      await place.start({
        handlers: { 'encode-video': async (_, { attempt }) => void events.push(`second, attempt ${attempt}`) },
      })
      await until('a finished job', async () => (await place.outboxRows()) === 0)
      t.strictSame(events, ['first, attempt 1', 'second, attempt 1'])
    })

    t.test('a closing worker lets a short job end', async (t) => {
      const place = await testPlace(t, backend)
      let ended = false
      let started = false
      const worker = await place.start({
        handlers: {
          'encode-video': async () => {
            started = true
            await new Promise((resolve) => setTimeout(resolve, 300))
            ended = true
          },
        },
      })
      await announce(place.database.db, 'encode-video', { video_id: 12 })
      await until('the job to start', () => started)
      await worker.close(20_000)
      t.ok(ended)
      t.equal(await place.outboxRows(), 0)
      t.equal(await place.queues.queue('encode-video').getJobCountByTypes('wait', 'active', 'delayed'), 0)
    })

    t.test('health is good while everything answers', async (t) => {
      const place = await testPlace(t, backend)
      const worker = await place.start({ handlers: {} })
      await t.resolves(worker.checkQueue())
    })
  })
}

t.test('a worker needs no more than four connections to the queue in PostgreSQL, and warns of nothing', async (t) => {
  const warnings: Error[] = []
  const note = (warning: Error) => void warnings.push(warning)
  process.on('warning', note)
  t.teardown(() => process.off('warning', note))
  const place = await testPlace(t, 'postgres')
  let runs = 0
  await place.start({ handlers: { erase: async () => void runs++, 'sweep-presigned': async () => void runs++ } })
  for (let index = 1; index <= 50; index++) {
    await announce(place.database.db, 'erase', { erasure_id: index })
    await announce(place.database.db, 'sweep-presigned', { video_id: index })
  }
  await until('all jobs', () => runs === 100)
  const [row] = await place.database.sql<{ connections: number }[]>`
    select count(*)::int as connections from pg_stat_activity
    where datname = current_database() and application_name = 'queue'`
  // Four of the worker, and at most three of the test, which does not listen.
  t.ok(row && row.connections <= 7, `${row?.connections} connections`)
  t.strictSame(warnings, [], 'such as of a leak, because all kinds of jobs listen on one of them')
})

t.test('handlers and jobs must match', async (t) => {
  const { database } = await testPlace(t, 'postgres')
  const settings = { queueUrl: 'redis://127.0.0.1:1', database, log: silent, reasonOf }
  const { erase, ...incomplete } = handlersWith({})
  await t.rejects(createWorker({ ...settings, handlers: Object.assign(incomplete) }), {
    message: 'No handler for: erase',
  })
  const surplus = Object.assign(handlersWith({}), { 'brew-tea': erase })
  await t.rejects(createWorker({ ...settings, handlers: surplus }), { message: 'No such job: brew-tea' })
})

t.test('a queue of an unknown kind, or one that is away, stops the boot', async (t) => {
  const { database } = await testPlace(t, 'postgres')
  const settings = { database, handlers: handlersWith({}), log: silent, reasonOf }
  await t.rejects(createWorker({ ...settings, queueUrl: 'amqp://127.0.0.1' }), /amqp/)
  await t.rejects(createWorker({ ...settings, queueUrl: 'redis://127.0.0.1:1' }), /does not respond/)
  await t.rejects(createWorker({ ...settings, queueUrl: 'postgres://127.0.0.1:1/none' }))
})
