import type { Program } from '@playtherapy/programs'
import { figure } from '../measure.ts'
import type { Place } from '../place.ts'
import type { Figure, Row } from '../row.ts'

const programs = ['contents', 'media', 'script', 'worker'] as const

const rounds = 5

/** Starts a program several times, first to warm the disk's cache. Returns the seconds until it was ready. */
async function starts(place: Place, program: Program, env: NodeJS.ProcessEnv): Promise<number[]> {
  const seconds: number[] = []
  for (let round = -1; round < rounds; round++) {
    const running = await place.start({ program, env, ready: '/health/ready' })
    if (round >= 0) seconds.push(running.startMs / 1000)
    await running.stop()
  }
  return seconds
}

/** The time of each process from its start until it is ready. */
export const coldStart: Row = {
  name: 'cold-start',
  async measure(place) {
    const env = {
      ...(await place.settings(await place.database('starts'))),
      QUEUE_URL: await place.redis(),
    }
    const figures: Figure[] = []
    for (const program of programs) {
      const about = { name: `cold start of ${program}`, unit: 's', target: { most: 1.5 } }
      figures.push(figure(about, await starts(place, program, env)))
    }
    return figures
  },
}
