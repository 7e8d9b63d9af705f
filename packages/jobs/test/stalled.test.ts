import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { announce } from '@playtherapy/schema'
import { type QueueBackend, queueBackends, testDatabase, testQueue, until } from '@playtherapy/testing'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { placeAt } from './support.ts'

/** Kills a process in the middle of a job, which had happened `before` so many times; answers what others then saw. */
async function afterDeath(t: Test, backend: QueueBackend, before: number): Promise<unknown[]> {
  const database = await testDatabase(t)
  const { url, prefix } = testQueue(t, backend, database.url)
  const place = placeAt(t, database, database.url, url, prefix)
  const doomed = fork(fileURLToPath(new URL('./doomed-worker.ts', import.meta.url)), [url, prefix, database.url])
  t.teardown(() => doomed.kill('SIGKILL'))
  await announce(database.db, 'encode-video', { video_id: 5 })
  await once(doomed, 'message')
  doomed.kill('SIGKILL')
  await once(doomed, 'exit')

  const queue = place.queues.queue('encode-video')
  if (backend === 'postgres') await database.sql`update bullmq.job set stalled_count = ${before}`
  else {
    const [job] = await queue.getActive()
    const client = new Redis(url)
    await client.hset(queue.toKey(job?.id ?? ''), 'stc', before)
    client.disconnect()
  }

  const events: unknown[] = []
  await place.start({
    handlers: { 'encode-video': async ({ video_id }, { attempt }) => void events.push({ video_id, attempt }) },
    onFailed: { 'encode-video': async ({ video_id }, reason) => events.push({ video_id, reason }) > 0 },
  })
  const unfinished = () => database.sql`select 1 from outbox where failed_at is null`
  await until('the end of the job', async () => (await unfinished()).length === 0)
  await until('its trace', () => events.length > 0)
  return events
}

// A lock has to run out in each, so all wait at once.
t.test('the job of a process that was killed', async (t) => {
  await Promise.all(
    queueBackends.map(async (backend) => {
      const [once, tooOften] = await Promise.all([afterDeath(t, backend, 0), afterDeath(t, backend, 50)])
      t.strictSame(once, [{ video_id: 5, attempt: 2 }], `${backend}: is done by another`)
      const reason = 'It was tried several times without success.'
      t.strictSame(tooOften, [{ video_id: 5, reason }], `${backend}: is given up when it happens without end`)
    }),
  )
})
