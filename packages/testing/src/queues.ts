import { Redis } from 'ioredis'
import type { Teardown } from './database.ts'
import { randomName } from './names.ts'

export type QueueBackend = 'redis' | 'postgres'

/** The backends of BullMQ that can be tested here. Tests that use the queue run on each. */
export const queueBackends: QueueBackend[] = process.env.TEST_REDIS_URL ? ['redis', 'postgres'] : ['postgres']

/** Returns everything that a redis-server has below a prefix, as text. */
export async function redisContents(url: string, prefix: string): Promise<string> {
  const redis = new Redis(url)
  const readers: Record<string, (key: string) => Promise<unknown>> = {
    string: (key) => redis.get(key),
    hash: (key) => redis.hgetall(key),
    list: (key) => redis.lrange(key, 0, -1),
    set: (key) => redis.smembers(key),
    zset: (key) => redis.zrange(key, '0', '-1'),
    stream: (key) => redis.xrange(key, '-', '+'),
  }
  const found: unknown[] = []
  for await (const keys of redis.scanStream({ match: `${prefix}:*`, count: 1_000 })) {
    for (const key of keys) found.push(key, await readers[await redis.type(key)]?.(key))
  }
  redis.disconnect()
  return JSON.stringify(found)
}

/**
 * Returns QUEUE_URL and prefix of a queue for one test: in the test's database, or below a random prefix of the shared
 * redis-server, whose keys are removed when the test is over.
 */
export function testQueue(t: Teardown, backend: QueueBackend, databaseUrl: string): { url: string; prefix: string } {
  const prefix = `{${randomName()}}`
  if (backend === 'postgres') return { url: databaseUrl, prefix }
  const url = process.env.TEST_REDIS_URL
  if (!url) throw new Error('TEST_REDIS_URL is not set: run tests through `npm test`')
  t.teardown(async () => {
    const redis = new Redis(url)
    for await (const keys of redis.scanStream({ match: `${prefix}:*`, count: 1_000 })) {
      if (keys.length > 0) await redis.unlink(keys)
    }
    redis.disconnect()
  })
  return { url, prefix }
}
