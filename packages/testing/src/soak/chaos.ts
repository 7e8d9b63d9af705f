import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Part } from './place.ts'

const pick = <T>(items: readonly T[]) => items[Math.floor(Math.random() * items.length)]

/**
 * Kills one part after the other, mostly with SIGKILL, until `signal` is aborted, and restarts each after up to six
 * seconds. After half of Redis's restarts its data is deleted. Returns how often it did each.
 */
export async function wreakHavoc(
  parts: Part[],
  redisUrl: string | undefined,
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const done: Record<string, number> = {}
  const rest = (milliseconds: number) => sleep(milliseconds, undefined, { signal }).catch(() => undefined)
  for (let round = 0; !signal.aborted; round++) {
    await rest(2_000 + Math.random() * 6_000)
    if (signal.aborted) break
    const part = parts[round % parts.length]
    if (!part) break
    const how = pick(['SIGKILL', 'SIGKILL', 'SIGTERM'] as const) ?? 'SIGKILL'
    const label = `${part.name} ${how}`
    done[label] = (done[label] ?? 0) + 1
    await part.kill(how)
    await rest(Math.random() * 6_000)
    await part.restart()
    if (redisUrl && part.name === 'Redis' && Math.random() < 0.5) {
      const redis = new Redis(redisUrl, { retryStrategy: null })
      redis.on('error', () => {})
      await redis.flushall().catch(() => undefined)
      redis.disconnect()
      done['Redis wiped'] = (done['Redis wiped'] ?? 0) + 1
    }
  }
  return done
}
