import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { announce } from '@playtherapy/schema'
import { queueBackends, testDatabase, testQueue, until } from '@playtherapy/testing'
import t from 'tap'
import { placeAt } from './support.ts'

for (const backend of queueBackends) {
  t.test(`${backend}: a retry of a worker whose clock is ahead does not wait for that time`, async (t) => {
    const database = await testDatabase(t)
    const { url, prefix } = testQueue(t, backend, database.url)
    const place = placeAt(t, database, database.url, url, prefix)
    const ahead = fork(fileURLToPath(new URL('./wrong-clock-worker.ts', import.meta.url)), [url, prefix, database.url])
    t.teardown(() => ahead.kill('SIGKILL'))
    await announce(database.db, 'encode-video', { video_id: 5 })
    await once(ahead, 'message')
    const queue = place.queues.queue('encode-video')
    await until('the pause before the retry', async () => (await queue.getDelayedCount()) === 1)
    ahead.kill('SIGKILL')
    await once(ahead, 'exit')

    const attempts: number[] = []
    await place.start({ handlers: { 'encode-video': async (_, { attempt }) => void attempts.push(attempt) } })
    await until('the retry', async () => (await place.outboxRows()) === 0)
    t.strictSame(attempts, [2])
  })
}
