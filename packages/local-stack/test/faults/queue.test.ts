import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { queueBackends, startRedis, storeBackends } from '@playtherapy/testing'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { faultPlace, makeClip } from './place.ts'

const skip = !(storeBackends.includes('s3') && queueBackends.includes('redis'))

async function begin(t: Test) {
  const directory = await mkdtemp(join(tmpdir(), 'playtherapy-redis-'))
  const redis = await startRedis(directory)
  t.teardown(async () => {
    await redis.kill()
    await rm(directory, { recursive: true, force: true })
  })
  const place = await faultPlace(t, { queueUrl: redis.url })
  const [media, worker] = [await place.host(), await place.worker()]
  const session = await place.addSession()
  const upload = async () => place.upload(media, session, await makeClip())
  const command = async (...args: [string, ...string[]]) => {
    const client = new Redis(redis.url)
    await client.call(...args)
    client.disconnect()
  }
  return { redis, place, media, worker, session, upload, command }
}

/** Frozen and killed for 12 s, and wiped with jobs waiting and active: packages/jobs/test/outage.test.ts. */
t.test('Redis fails, and no job is lost', { skip }, async (t) => {
  await Promise.all([
    (async () => {
      const { redis, place, media, worker, session, upload } = await begin(t)
      await redis.kill()
      const starting = worker.restart()
      t.equal(await upload(), 201, 'down at boot: uploads do not need it')
      await sleep(3_000)
      await redis.restart()
      await starting
      await place.encoded(session)
      await place.works(media)
    })(),
    (async () => {
      const { place, media, worker, session, upload, command } = await begin(t)
      await worker.restart()
      await command('CONFIG', 'SET', 'maxmemory', '1')
      t.equal(await upload(), 201, 'refusing writes: uploads do not need it')
      await sleep(5_000)
      await command('CONFIG', 'SET', 'maxmemory', '0')
      await place.encoded(session)
      await place.works(media)
    })(),
    (async () => {
      const { redis, place, media, worker, session, upload, command } = await begin(t)
      await worker.restart()
      // Wiped while the encode is under way: the reading of its original is held until then.
      let reached = () => {}
      const active = new Promise<void>((resolve) => {
        reached = resolve
      })
      let goOn = () => {}
      const wiped = new Promise<void>((resolve) => {
        goOn = resolve
      })
      place.gate.before = async ({ method, path }) => {
        if (method === 'GET' && path.endsWith('.mp4')) {
          reached()
          await wiped
        }
      }
      t.equal(await upload(), 201, 'wiped, then killed')
      await active
      await command('FLUSHALL')
      await redis.kill()
      goOn()
      await sleep(10_000)
      await redis.restart()
      await place.encoded(session)
      await place.works(media)
    })(),
  ])
})
