import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { announce, outbox, sessions, webhooks } from '@playtherapy/schema'
import { forkWorker, queueBackends, seedSession, testDatabase, testQueue, until } from '@playtherapy/testing'
import { isNotNull, sql } from 'drizzle-orm'
import { Webhook } from 'standardwebhooks'
import t from 'tap'
import { announceWebhooks } from '../src/webhook/changes.ts'
import { secret } from './webhook-support.ts'

/** Makes a certificate for this name, signed by itself. */
async function certificateFor(folder: string, name: string) {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)]
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']
  const about = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
  await promisify(execFile)('openssl', [...request, ...about, '-keyout', key, '-out', cert])
  return { path: cert, key: await readFile(key), cert: await readFile(cert) }
}

// Each waits for the starts of two workers.
t.jobs = queueBackends.length
for (const backend of queueBackends) {
  t.test(`over TLS on ${backend}, beside a worker without a receiver`, { buffered: true }, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'playtherapy-webhooks-'))
    t.teardown(() => rm(folder, { recursive: true, force: true }))
    const [right, wrong] = [await certificateFor(folder, 'localhost'), await certificateFor(folder, 'other.example')]
    const received: number[] = []
    const server = createServer(wrong, async (request, response) => {
      const body = await text(request)
      const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)])
      new Webhook(secret).verify(body, Object.fromEntries(headers))
      received.push(JSON.parse(body).data.session_id)
      response.writeHead(204).end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close().closeAllConnections())
    const { port } = server.address() as AddressInfo

    const { db, url } = await testDatabase(t)
    const { url: queueUrl, prefix } = testQueue(t, backend, url)
    await announceWebhooks(db)
    const start = (name: string, env: NodeJS.ProcessEnv) =>
      forkWorker(t, {
        DATABASE_URL: url,
        QUEUE_URL: queueUrl,
        QUEUE_PREFIX: prefix,
        FILE_STORE_DIRECTORY: join(folder, 'objects'),
        SCRATCH_DIRECTORY: join(folder, name),
        ...env,
      })
    const workers = [
      start('without', {}),
      start('with', {
        NODE_EXTRA_CA_CERTS: right.path,
        WEBHOOK_URL: `https://localhost:${port}/hooks`,
        WEBHOOK_SECRET: secret,
        WEBHOOK_INTERNAL_ADDRESSES: '127.0.0.1',
      }),
    ]
    const { caseId, sessionId } = await seedSession(db, 7)
    await until('a failed attempt', async () => (await db.$count(webhooks, sql`${webhooks.attempts} > 0`)) === 1)
    t.strictSame(received, [], 'nothing is sent to a receiver with another certificate')
    server.setSecureContext(right)
    const others = await db
      .insert(sessions)
      .values(Array.from({ length: 5 }, (_, n) => ({ caseId, name: `${n}` })))
      .returning({ id: sessions.id })
    await db.update(webhooks).set({ nextAt: sql`now()` })
    await announce(db, 'send-webhook', { user_id: 7, case_id: caseId, session_id: sessionId })
    const all = [sessionId, ...others.map(({ id }) => id)]
    await until('all', () => all.every((id) => received.includes(id)))
    t.equal(await db.$count(outbox, isNotNull(outbox.failedAt)), 0, 'none was given up')
    await until('the end', async () => (await db.$count(webhooks)) === 0)
    for (const worker of workers) worker.kill('SIGTERM')
    for (const worker of workers) if (worker.exitCode === null) await once(worker, 'exit')
  })
}
