import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { announce, outbox, sessions, webhooks } from '@playtherapy/schema'
import { forkWorker, queueBackends, seedSession, testDatabase, testQueue, until } from '@playtherapy/testing'
import { eq, sql } from 'drizzle-orm'
import t from 'tap'
import { announceWebhooks } from '../src/webhook/changes.ts'
import { nextSecret, secret, startReceiver } from './webhook-support.ts'

// Each waits for the starts of two workers.
t.jobs = queueBackends.length
for (const backend of queueBackends) {
  t.test(`a worker on ${backend} that is killed sends the same again, in order`, { buffered: true }, async (t) => {
    const { db, urls } = await testDatabase(t)
    const { url: queueUrl, prefix } = testQueue(t, backend, urls.worker)
    const folder = await mkdtemp(join(tmpdir(), 'playtherapy-webhooks-'))
    t.teardown(() => rm(folder, { recursive: true, force: true }))
    await announceWebhooks(db)
    const { caseId, sessionId } = await seedSession(db, 7)
    let held: ServerResponse | undefined
    let status = 200
    const receiver = await startReceiver(t, (response, { data }) => {
      if (held) response.writeHead(data.session_id === sessionId ? status : 200).end()
      else held = response
    })
    const start = () =>
      forkWorker(t, {
        DATABASE_URL: urls.worker,
        QUEUE_URL: queueUrl,
        QUEUE_PREFIX: prefix,
        FILE_STORE_DIRECTORY: join(folder, 'objects'),
        SCRATCH_DIRECTORY: join(folder, 'scratch'),
        WEBHOOK_URL: receiver.url,
        WEBHOOK_SECRET: `${nextSecret},${secret}`,
        WEBHOOK_INTERNAL_ADDRESSES: '127.0.0.1',
      })
    const first = start()
    await until('the first attempt', () => held)
    first.kill('SIGKILL')
    await once(first, 'exit')
    status = 500
    await db.update(sessions).set({ scriptStateId: 1 }).where(eq(sessions.id, sessionId))
    // The queue takes some time to find the job of a dead worker, and its lease expires after 30 s: both are hurried here.
    await db.update(webhooks).set({ heldUntil: sql`now()` })
    await announce(db, 'send-webhook', { user_id: 7, case_id: caseId, session_id: sessionId })
    const second = start()
    await until('the second attempt', () => receiver.received.length === 2)
    t.strictSame(receiver.received[1]?.text, receiver.received[0]?.text)
    t.equal(receiver.received[1]?.id, receiver.received[0]?.id)
    const other = await seedSession(db, 8)
    await until('another session', () => receiver.received.some(({ data }) => data.session_id === other.sessionId))
    await db.update(sessions).set({ scriptStateId: 3 }).where(eq(sessions.id, sessionId))
    status = 200
    await until('the newest state', () =>
      receiver.received.some(({ data }) => data.session_id === sessionId && data.session?.script_state_id === 3),
    )
    const states = receiver.received
      .filter(({ data }) => data.session_id === sessionId)
      .map(({ data }) => data.session?.script_state_id)
    const told = states.filter((state, index) => state !== states[index - 1])
    t.strictSame(told, [5, 3], 'in order, and what changed meanwhile together')
    // The job of the dead worker is the last one.
    await until('the end', async () => (await db.$count(webhooks)) === 0 && (await db.$count(outbox)) <= 1)
    second.kill('SIGTERM')
    await once(second, 'exit')
  })
}
