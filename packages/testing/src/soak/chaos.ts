import { setTimeout as sleep } from 'node:timers/promises'
import { canSetClocks } from '../clock.ts'
import type { Part } from '../servers/durable-postgres.ts'
import type { Place } from './place.ts'

/** The most by which a clock is wrong. An S3 server refuses requests that are signed 15 minutes from its own time. */
const mostClockSeconds = 600
/** What is added to each response of the object store while it is slow. */
const slowMs = 200
/** Steps of an upgrade between two kills. */
const stepsAtOnce = 2

const pick = <T>(items: readonly T[]) => items[Math.floor(Math.random() * items.length)]
/** A whole number of at least `low` and less than `high`. */
const between = (low: number, high: number) => Math.floor(low + Math.random() * (high - low))

/**
 * Until `signal` is aborted, does at random and at once: kills one part after the other and restarts it; makes the object store slow
 * for a time; lets the clock of one of our processes jump for a time. Begins with the steps of the upgrade, if there are any, after
 * `upgradeAfterMs`, two between two kills, and ends with all of them done. Returns how often it did each, by words.
 */
export async function wreakHavoc(
  place: Place,
  { signal, upgradeAfterMs }: { signal: AbortSignal; upgradeAfterMs: number },
): Promise<Record<string, number>> {
  const done: Record<string, number> = {}
  const count = (label: string | undefined) => {
    if (label) done[label] = (done[label] ?? 0) + 1
  }
  const rest = (milliseconds: number) => sleep(milliseconds, undefined, { signal }).catch(() => undefined)
  const steps = [...place.upgrade]
  const upgradeAt = performance.now() + upgradeAfterMs
  const upgrade = async (most: number) => {
    for (const step of steps.splice(0, most)) {
      await step.run()
      console.log(`  ${step.name}`)
      count(step.name)
    }
  }

  const kill = async (part: Part) => {
    const how = pick(['SIGKILL', 'SIGKILL', 'SIGTERM'] as const) ?? 'SIGKILL'
    count(`${part.name} ${how}`)
    await part.kill(how)
    await rest(between(0, 6_000))
    count(await part.restart())
  }
  const killAll = async () => {
    for (let round = 0; !signal.aborted; round++) {
      await rest(between(2_000, 8_000))
      const part = place.parts[round % place.parts.length]
      if (part && !signal.aborted) await kill(part)
      if (performance.now() > upgradeAt) await upgrade(stepsAtOnce)
    }
    await upgrade(steps.length)
  }
  const slowStore = async () => {
    while (!signal.aborted) {
      await rest(between(10_000, 60_000))
      if (signal.aborted) break
      place.store.delayMs = slowMs
      count(`object store slow by ${slowMs} ms`)
      await rest(between(10_000, 40_000))
      place.store.delayMs = 0
    }
  }
  const jumpClocks = async () => {
    while (!signal.aborted) {
      await rest(between(2_000, 10_000))
      const own = pick(place.ours)
      if (!own || signal.aborted) break
      const seconds = between(60, mostClockSeconds) * (Math.random() < 0.5 ? -1 : 1)
      await own.setClock(seconds)
      count(`clock of ${own.name.replace(/ \d/, '')} ${seconds < 0 ? 'behind' : 'ahead'}`)
      await rest(between(5_000, 30_000))
      await own.setClock(0)
    }
  }

  const mayJump = await canSetClocks()
  if (!mayJump) console.log('No clock jumps: libfaketime is not installed (apt-get install libfaketime)')
  await Promise.all([killAll(), slowStore(), ...(mayJump ? [jumpClocks()] : [])])
  return done
}
