/** The command that says that a restore of the database has lost events, and what is left when it is killed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { auditHeadKey, auditRestorePrefix, createS3Store, type S3Settings } from '@playtherapy/object-store'
import { nodeOptions, programPath } from '@playtherapy/programs'
import { storeBackends, type Teardown, testBucket, testDatabase, until } from '@playtherapy/testing'
import t from 'tap'

const skip = storeBackends.includes('s3') ? false : 'there is no S3 server here'

/** A way to the object store on which everything passes but what writes, which gets no response. */
async function withoutWrites(t: Teardown, { endpoint = '' }: S3Settings) {
  let writes = 0
  const server = createServer((from, to) => {
    if (from.method === 'PUT') {
      writes++
      return
    }
    const { method, url = '/', headers } = from
    const onward = request(new URL(url, endpoint), { method, headers }, (answer) => {
      to.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(to)
    })
    onward.on('error', () => to.destroy())
    from.pipe(onward)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port }: Pick<AddressInfo, 'port'> = Object(server.address())
  return { url: `http://127.0.0.1:${port}`, writes: () => writes }
}

t.test('killed at any moment, it leaves no restore without its event, and is repeated', { skip }, async (t) => {
  const { url, sql } = await testDatabase(t)
  const settings = await testBucket()
  const store = createS3Store(settings)
  t.teardown(() => store.close())
  const hash = 'a'.repeat(64)
  const head = Buffer.from(JSON.stringify({ id: 7, hash, sealed_at: new Date().toISOString() }))
  await store.put(auditHeadKey('LOCAL', 7, hash), head, { contentType: 'application/json' })

  const start = (endpoint = settings.endpoint ?? '') => {
    const env = {
      ...{ PATH: process.env.PATH, NODE_NO_WARNINGS: '1', DATABASE_URL: url, PHASE: 'LOCAL' },
      ...{ S3_ENDPOINT: endpoint, S3_BUCKET: settings.bucket, S3_REGION: settings.region },
      ...{ S3_ACCESS_KEY_ID: settings.accessKeyId, S3_SECRET_ACCESS_KEY: settings.secretAccessKey },
      ...{ S3_FORCE_PATH_STYLE: 'true' },
    }
    const command = spawn(process.execPath, [...nodeOptions, programPath('audit'), 'continue'], { env })
    t.teardown(() => command.kill('SIGKILL'))
    let printed = ''
    for (const stream of [command.stdout, command.stderr]) stream.on('data', (text) => (printed += text))
    return { command, printed: () => printed }
  }
  const kill = async ({ command }: ReturnType<typeof start>) => {
    command.kill('SIGKILL')
    await once(command, 'exit')
  }
  const events = async () => (await sql`select from audit_events where kind = 'audit' and action = 'update'`).length
  const restores = async () => {
    let count = 0
    for await (const _ of store.list(auditRestorePrefix('LOCAL'))) count++
    return count
  }

  // Nobody can write an event: the command waits for that.
  const lock = await sql.reserve()
  await lock`begin`
  await lock`lock table audit_events in share mode`
  const early = start()
  const waits = () => sql`select from pg_locks where not granted and relation = 'audit_events'::regclass`
  await until('the command to wait for its event', async () => (await waits()).length > 0)
  t.equal(await restores(), 0, 'it has said nothing without its event')
  await kill(early)
  await lock`rollback`
  lock.release()
  await until('the end of its connection', async () => (await waits()).length === 0)
  t.strictSame([await events(), await restores()], [0, 0])

  const link = await withoutWrites(t, settings)
  const late = start(link.url)
  await until('its write', async () => link.writes() > 0)
  t.strictSame([await events(), await restores()], [1, 0], 'its event is written before')
  await kill(late)

  const whole = start()
  const [code] = await once(whole.command, 'exit')
  t.match(whole.printed(), /now says that a restore has lost the events of 1 heads, 7 to 7\./)
  t.strictSame([code, await events(), await restores()], [0, 2, 1])
})
