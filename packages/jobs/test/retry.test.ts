import { announce } from '@playtherapy/schema'
import { queueBackends, until } from '@playtherapy/testing'
import t from 'tap'
import { PermanentError, PostponedError } from '../src/index.ts'
import { testPlace } from './support.ts'

for (const backend of queueBackends) {
  t.test(backend, async (t) => {
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
        onFailed: { 'encode-video': async (payload, reason) => failures.push({ ...payload, reason }) > 0 },
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
      const failure = 'It was tried several times without success. It broke.'
      t.equal(job?.failedReason, failure, 'the queue says why')
      t.match(await place.database.sql`select failure, is_refused from outbox`, [{ failure, is_refused: false }])
    })

    t.test('a permanent error is not retried', async (t) => {
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
        onFailed: { 'encode-video': async (payload, reason) => failures.push({ ...payload, reason }) > 0 },
      })
      await announce(place.database.db, 'encode-video', { video_id: 8 })
      const queue = place.queues.queue('encode-video')
      await until('a failed job', async () => (await queue.getFailedCount()) === 1)
      t.equal(runs, 1)
      t.strictSame(failures, [{ video_id: 8, reason: 'The recording has no picture.' }])
      t.match(await place.database.sql`select is_refused from outbox`, [{ is_refused: true }], 'nothing of ours failed')
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
            return true
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
      await until('a finished job', async () => (await place.outboxRows()) === 0)
      t.strictSame(attempts, [1, 1])
    })
  })
}
