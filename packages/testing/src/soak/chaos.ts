import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Part } from './place.ts'

const pick = <T>(items: readonly T[]) => items[Math.floor(Math.random() * items.length)]

/**
 * Hurts one part after the other until `signal` fires: kills it, mostly without warning, leaves it dead for up to six
 * seconds and starts it again; now and then it wipes Redis instead. In turn, so that every part has its share.
 * Returns what it did, by name.
 */
export async function wreak(parts: Part[], redisUrl: string, signal: AbortSignal): Promise<Record<string, number>> {
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
    if (part.name === 'Redis' && Math.random() < 0.5) {
      const redis = new Redis(redisUrl, { retryStrategy: null })
      redis.on('error', () => {})
      await redis.flushall().catch(() => undefined)
      redis.disconnect()
      done['Redis wiped'] = (done['Redis wiped'] ?? 0) + 1
    }
  }
  return done
}
