import { setTimeout } from 'node:timers/promises'
import type { Database } from '@playtherapy/schema'
import type { FastifyBaseLogger } from 'fastify'
import { announceAnalyses } from './repository.ts'

/** Longest pause between two looks for scripts to analyse, in milliseconds. */
const everyMs = 5_000

/**
 * Announces analyses for as long as the process lives. Only a worker with an analyser looks: the services that save
 * scripts need not know whether there is one. `close` ends it after the round at hand.
 */
export function startAnnouncer(db: Database, log: FastifyBaseLogger) {
  const stop = new AbortController()
  const run = async () => {
    while (!stop.signal.aborted) {
      await announceAnalyses(db).catch((error: unknown) => {
        log.warn({ err: error }, 'analyses could not be announced')
      })
      const pause = everyMs * (0.5 + Math.random() / 2)
      await setTimeout(pause, undefined, { signal: stop.signal }).catch(() => undefined)
    }
  }
  const finished = run()
  return {
    async close() {
      stop.abort()
      await finished
    },
  }
}
