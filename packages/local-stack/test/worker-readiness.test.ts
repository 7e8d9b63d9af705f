import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '@playtherapy/embedded-postgres'
import { migrate } from '@playtherapy/schema/migrate'
import { ownProcess, queueBackends, startRedis, until } from '@playtherapy/testing'
import t, { type Test } from 'tap'

/** A folder that a server which runs as another user can reach. */
async function folderOf(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'playtherapy-readiness-'))
  await chmod(folder, 0o755)
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A worker with servers of its own; `ready` is what its readiness says. */
async function place(t: Test, queue: 'redis' | 'postgres', more: NodeJS.ProcessEnv = {}) {
  const folder = await folderOf(t)
  const postgres = await startPostgres({ directory: join(folder, 'postgres') })
  t.teardown(() => postgres.stop())
  await migrate(postgres.url)
  const redis = queue === 'redis' ? await startRedis(join(folder, 'redis')) : undefined
  t.teardown(() => redis?.kill())
  const worker = await ownProcess('worker', {
    DATABASE_URL: postgres.url,
    QUEUE_URL: redis?.url ?? postgres.url,
    FILE_STORE_DIRECTORY: join(folder, 'objects'),
    SCRATCH_DIRECTORY: join(folder, 'scratch'),
    ...more,
  })
  t.teardown(() => worker.kill('SIGKILL'))
  await worker.restart()
  const ready = async () => {
    const body: unknown = await (await fetch(`${worker.url}/health/ready`)).json()
    return body instanceof Object && 'message' in body ? body.message : 'ready'
  }
  await until('the first answer', async () => !`${await ready()}`.includes('outbox'))
  return { postgres, redis, ready }
}

for (const queue of queueBackends) {
  t.test(`PostgreSQL is down, and only it is named: queue on ${queue}`, async (t) => {
    const { postgres, ready } = await place(t, queue)
    t.equal(await ready(), 'ready')
    await postgres.stop()
    // The relay notices at its next round.
    const seen = new Set<unknown>()
    for (const end = Date.now() + 7_000; Date.now() < end; ) seen.add(await ready())
    t.strictSame([...seen], ['Not ready: database'])
  })
}

t.test('Redis is down, and only the queue is named', { skip: !queueBackends.includes('redis') }, async (t) => {
  const { redis, ready } = await place(t, 'redis')
  await redis?.kill()
  t.equal(await ready(), 'Not ready: queue')
  await redis?.restart()
  await until('readiness', async () => (await ready()) === 'ready')
})

t.test('a worker without a working ffmpeg is not ready', async (t) => {
  const { ready } = await place(t, 'postgres', { FFMPEG_PATH: '/nowhere/ffmpeg' })
  t.equal(await ready(), 'Not ready: ffmpeg')
})
