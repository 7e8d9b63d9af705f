import { announce } from '@playtherapy/schema'
import { queueBackends } from '@playtherapy/testing'
import t from 'tap'
import { createWorker, PermanentError, PostponedError } from '../src/index.ts'
import { handlersWith, silent, testPlace, until } from './support.ts'

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
      await place.start({ handlers: { erase: async () => void runs++ } })
      const insert = (id: number) => place.database.sql`
        insert into outbox (id, name, payload) overriding system value values (${id}, 'erase', '{"erasure_id": 1}')`
      await insert(1_000)
      await until('the job', () => runs === 1)
      await until('an empty outbox', async () => (await place.outboxRows()) === 0)
      // As if the deletion of the row had not been committed.
      await insert(1_000)
      await insert(1_001)
      await until('the next job', () => runs === 2)
      await until('an empty outbox', async () => (await place.outboxRows()) === 0)
      t.equal(await place.queues.queue('erase').getJobCountByTypes('completed'), 2)
      t.equal(runs, 2)
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

    t.test('a handler that throws is tried again, and its failure recorded once', async (t) => {
      const place = await testPlace(t, backend)
      const attempts: number[] = []
      const failures: unknown[] = []
      await place.start({
        handlers: {
          'encode-video': async (_, { attempt, lastAttempt }) => {
            attempts.push(attempt)
            t.equal(lastAttempt, attempt === 10)
            throw new Error('a store at https://secret.example')
          },
        },
        onFailed: { 'encode-video': async (payload, reason) => void failures.push({ ...payload, reason }) },
      })
      await announce(place.database.db, 'encode-video', { video_id: 7 })
      const queue = place.queues.queue('encode-video')
      // The pauses are real; they are only cut short here.
      await until('the failure', async () => {
        await queue.promoteJobs()
        return failures.length > 0
      })
      await until('a failed job', async () => (await queue.getFailedCount()) === 1)
      t.strictSame(attempts, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
      t.strictSame(failures, [{ video_id: 7, reason: 'It was tried several times without success.' }])
      const [job] = await queue.getFailed()
      t.notMatch(JSON.stringify(job), 'secret')
    })

    t.test('a permanent fault is not tried again', async (t) => {
      const place = await testPlace(t, backend)
      let runs = 0
      const failures: unknown[] = []
      await place.start({
        handlers: {
          'encode-video': async () => {
            runs += 1
            throw new PermanentError('The recording has no picture.')
          },
        },
        onFailed: { 'encode-video': async (payload, reason) => void failures.push({ ...payload, reason }) },
      })
      await announce(place.database.db, 'encode-video', { video_id: 8 })
      const queue = place.queues.queue('encode-video')
      await until('a failed job', async () => (await queue.getFailedCount()) === 1)
      t.equal(runs, 1)
      t.strictSame(failures, [{ video_id: 8, reason: 'The recording has no picture.' }])
    })

    t.test('a failure that cannot be recorded is no end: the job comes again', async (t) => {
      const place = await testPlace(t, backend)
      const attempts: number[] = []
      let hooks = 0
      await place.start({
        handlers: {
          'encode-video': async (_, { attempt }) => {
            attempts.push(attempt)
            throw new PermanentError('The recording has no picture.')
          },
        },
        onFailed: {
          'encode-video': async () => {
            hooks += 1
            if (hooks === 1) throw new Error('the database is away')
          },
        },
      })
      await announce(place.database.db, 'encode-video', { video_id: 9 })
      const queue = place.queues.queue('encode-video')
      await until('a failed job', async () => {
        await queue.promoteJobs()
        return (await queue.getFailedCount()) === 1
      })
      t.strictSame(attempts, [1, 1])
      t.equal(hooks, 2)
    })

    t.test('a postponed job comes back with no try used up', async (t) => {
      const place = await testPlace(t, backend)
      const attempts: number[] = []
      await place.start({
        handlers: {
          'encode-video': async (_, { attempt }) => {
            attempts.push(attempt)
            if (attempts.length === 1) throw new PostponedError(200)
          },
        },
      })
      await announce(place.database.db, 'encode-video', { video_id: 10 })
      await until('a finished job', async () => (await place.queues.queue('encode-video').getCompletedCount()) === 1)
      t.strictSame(attempts, [1, 1])
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
      await until('a finished job', async () => (await queue.getCompletedCount()) === 1)
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
      t.equal(await place.queues.queue('encode-video').getCompletedCount(), 1)
    })

    t.test('health is good while everything answers', async (t) => {
      const place = await testPlace(t, backend)
      const worker = await place.start({ handlers: {} })
      await t.resolves(worker.check())
    })
  })
}

t.test('a worker needs no more than four connections to the queue in PostgreSQL', async (t) => {
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
})

t.test('handlers and jobs must match', async (t) => {
  const settings = { queueUrl: 'redis://127.0.0.1:1', database: (await testPlace(t, 'postgres')).database, log: silent }
  const { erase, ...incomplete } = handlersWith({})
  await t.rejects(createWorker({ ...settings, handlers: Object.assign(incomplete) }), {
    message: 'No handler for: erase',
  })
  const surplus = Object.assign(handlersWith({}), { 'brew-tea': erase })
  await t.rejects(createWorker({ ...settings, handlers: surplus }), { message: 'No such job: brew-tea' })
})

t.test('a queue of an unknown kind, or one that is away, stops the boot', async (t) => {
  const settings = { database: (await testPlace(t, 'postgres')).database, handlers: handlersWith({}), log: silent }
  await t.rejects(createWorker({ ...settings, queueUrl: 'amqp://127.0.0.1' }), /amqp/)
  await t.rejects(createWorker({ ...settings, queueUrl: 'redis://127.0.0.1:1' }), /does not answer/)
  await t.rejects(createWorker({ ...settings, queueUrl: 'postgres://127.0.0.1:1/none' }))
})
