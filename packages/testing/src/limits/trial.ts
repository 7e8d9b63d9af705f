import { setTimeout as sleep } from 'node:timers/promises'
import { type Attack, Broken } from './attack.ts'
import type { Experience } from './innocent.ts'
import type { Place, Stage } from './place.ts'
import { type Home, watch } from './watch.ts'

/** A slower response to the innocent therapist counts as damage, on a machine with two cores. */
const slowestMs = 2_000
/** A longer event loop delay is damage: 100 ms, and the wait for the one core that all threads of a container share. */
const loopMs = 250
/** Every process has to be ready again within this time after an attack. */
const recoveryMs = 10_000
/** A longer attack counts as damage. */
const attackMs = 300_000

/** The result of one attack. */
export interface Outcome {
  attack: Attack
  seen: string
  experience: Experience
  /** The process that came closest to its memory limit, and both in MiB: `script 350 / 384`. */
  peak: string
  /** The process with the longest event loop delay, and that delay in milliseconds. */
  loop: string
  oomKills: number
  errorLines: number
  /** What the attack broke; empty if nothing. */
  damage: string[]
}

const mebibytes = (bytes: number) => Math.round(bytes / 1024 ** 2)
const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0)

async function measure(stage: Stage) {
  const processes = Object.values(stage.processes)
  const dead = processes.filter((each) => !each.isAlive()).map(({ name }) => name)
  const end = Date.now() + recoveryMs
  const unready = await Promise.all(
    processes.map(async (each) => {
      while (!(await each.isReady())) {
        if (Date.now() > end) return [each.name]
        await sleep(500)
      }
      return []
    }),
  )
  const loops = await Promise.all(
    processes
      .filter(({ name }) => name !== 'worker')
      .map(async (each) => ({ name: each.name, ms: await each.loopMs() })),
  )
  const groups = [
    ...processes.map(({ name, memoryBytes, cgroup }) => ({ name, memoryBytes, ...cgroup })),
    { name: 'gateway', ...stage.gateway },
  ]
  const memory = await Promise.all(
    groups.map(async ({ name, memoryBytes, oomKills, peakBytes }) => {
      const [kills, peak] = await Promise.all([oomKills(), peakBytes()])
      return { name, kills, share: peak / memoryBytes, text: `${name} ${mebibytes(peak)} / ${mebibytes(memoryBytes)}` }
    }),
  )
  const slowest = loops.toSorted((a, b) => b.ms - a.ms)[0]
  return {
    dead,
    unready: unready.flat(),
    loop: slowest ? `${slowest.name} ${slowest.ms}` : '',
    loops,
    peak: memory.toSorted((a, b) => b.share - a.share)[0]?.text ?? '',
    killed: memory.filter(({ kills }) => kills > 0),
    errorLines: sum(await Promise.all(processes.map((each) => each.errorLines()))),
  }
}

/** Makes one attack on fresh processes while the innocent therapist works. */
export async function tryAttack(place: Place, home: Home, attack: Attack): Promise<Outcome> {
  const stage = await place.openStage(attack.environments)
  try {
    const strike = await attack.prepare(stage)
    // Each call of loopMs() begins a new measurement.
    await Promise.all(Object.values(stage.processes).map((each) => each.loopMs()))
    const stop = await watch(stage, home)
    await sleep(1_000)
    const damage: string[] = []
    const late = sleep(attackMs, undefined, { ref: false }).then(() => {
      throw new Broken(`not finished after ${attackMs / 1000} s`)
    })
    const seen = await Promise.race([strike(), late]).catch((error: unknown) => {
      const text = error instanceof Error ? error.message : String(error)
      damage.push(error instanceof Broken ? 'succeeded' : 'could not be made')
      return text
    })
    // The load that an attack left behind may still do damage.
    await sleep(2_000)
    const experience = await stop()
    const { dead, unready, loops, killed, ...rest } = await measure(stage)
    const failures = sum(Object.values(experience.failed))
    if (!attack.crowd && failures > 0) {
      damage.push(
        `others: ${Object.entries(experience.failed)
          .map(([what, count]) => `${what} × ${count}`)
          .join(', ')}`,
      )
      if (experience.untrueReady > 0) damage.push(`ready said ok at ${experience.untrueReady} of them`)
    }
    if (!attack.crowd && experience.slowestMs > slowestMs) damage.push(`others: ${experience.slowest} slow`)
    if (killed.length > 0) damage.push(`OOM kill in ${killed.map(({ name }) => name).join(', ')}`)
    if (dead.length > 0) damage.push(`${dead.join(', ')} dead`)
    const unreadyAlive = unready.filter((name) => !dead.includes(name))
    if (unreadyAlive.length > 0) damage.push(`${unreadyAlive.join(', ')} not ready afterwards`)
    for (const { name, ms } of loops) {
      const isSlow = !(ms <= loopMs + experience.machineMs)
      if (isSlow && !dead.includes(name)) damage.push(`event loop of ${name} stood ${ms} ms`)
    }
    return { attack, seen, experience, ...rest, oomKills: sum(killed.map(({ kills }) => kills)), damage }
  } finally {
    await stage.close()
    await place.forget(home.therapist.userId)
  }
}
