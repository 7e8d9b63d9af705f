import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { nodeOptions, type Program, programPath } from '@playtherapy/programs'
import { fetchText } from '../load.ts'
import { alternate, ratio } from '../measure.ts'
import type { Place } from '../place.ts'
import type { Figure } from '../row.ts'
import type { Sizes } from './measure-reads.ts'

/** Each loop of a worker has its turn within this time; the slowest comes each half a minute. */
const workSeconds = 70

/** Lets a worker do what it does by itself, and operators and Prometheus look at it, on each database in turn. */
export async function letWork(place: Place, sizes: Sizes): Promise<void> {
  // A bucket's objects of one phase belong to one database.
  for (const [url, PHASE] of [
    [sizes.small, 'LOCAL'],
    [sizes.big, 'ALPHA'],
  ] as const) {
    const env = { ...(await place.settings(url)), PHASE }
    const worker = await place.start({ program: 'worker', env: { ...env, QUEUE_URL: url }, ready: '/health/live' })
    const contents = await place.start({ program: 'contents', env, ready: '/health/ready' })
    const end = performance.now() + workSeconds * 1_000
    while (performance.now() < end) {
      await fetchText({ url: `${contents.url}/contents/api/operations`, headers: place.asOperator() })
      for (const { url } of [contents, worker]) await fetchText({ url: `${url}/metrics`, headers: {} })
      await sleep(5_000)
    }
    await Promise.all([worker.stop(), contents.stop()])
  }
}

/** What operators run. Nothing is finished for so long that its recordings would be erased. */
const commands: [name: string, program: Program, args: string[]][] = [
  ['retention, dry run', 'retention', ['--dry-run', '--finished-before', '20y']],
  ['list of failed jobs', 'jobs', []],
  ['upgrade with nothing to do', 'migrate', []],
]

/** Measures how long commands take. */
export async function measureCommands(place: Place, { small, big }: Sizes): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const [name, program, args] of commands) {
    const side = (url: string) => async () => {
      const began = performance.now()
      const env = { ...process.env, ...(await place.settings(url)), QUEUE_URL: url }
      await promisify(execFile)(process.execPath, [...nodeOptions, programPath(program), ...args], { env })
      return performance.now() - began
    }
    const times = await alternate({ small: side(small), big: side(big) }, { rounds: 3 })
    figures.push(ratio({ name: `${name}: time`, target: { most: 1.5 } }, [times.big, times.small], (ms) => ms))
  }
  return figures
}
