import { setTimeout } from 'node:timers/promises'
import type { ObjectStore } from '@playtherapy/object-store'
import type { Database } from '@playtherapy/schema'
import { loggable } from '@playtherapy/service-kit'
import type { FastifyBaseLogger } from 'fastify'
import { reap } from './reap.ts'

/** Pause between two rounds, in milliseconds; half of it is random, so that processes do not march in step. */
const everyMs = 30_000

/** Reaps in the background for as long as the process lives. `close` ends it after the round at hand. */
export function startReaper(resources: { db: Database; store: ObjectStore }, log: FastifyBaseLogger) {
  const stop = new AbortController()
  const run = async () => {
    while (!stop.signal.aborted) {
      try {
        const mended = await reap(resources)
        if (Object.values(mended).some((count) => count > 0)) log.warn(mended, 'what a dead process left was mended')
      } catch (error) {
        log.warn({ err: loggable(error) }, 'what dead processes left could not be mended')
      }
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
