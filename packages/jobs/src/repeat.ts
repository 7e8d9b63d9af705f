import { setTimeout } from 'node:timers/promises'
import type { Log } from './log.ts'

interface Repeated {
  /** Names the loop in the log. */
  name: string
  /** Longest pause between two rounds, in milliseconds. */
  everyMs: number
  /** The signal fires when the loop is closed: a long round begins nothing more then. */
  round(signal: AbortSignal): Promise<unknown>
  log: Pick<Log, 'warn'>
}

/** The longest pause after a round that failed, so that one an hour does not wait for the next hour. */
const failedMs = 300_000

/** Something that runs in the background until it is closed. */
export interface Background {
  /** Resolves when the current round has ended; no other begins. */
  close(): Promise<void>
}

/**
 * Runs a round at once, and again after each pause, until it is closed. A third of the pause is random, so that processes
 * do not run at the same moments. A rejected round is logged, and the next one follows, after five minutes at most.
 */
export function repeat({ name, everyMs, round, log }: Repeated): Background {
  const stop = new AbortController()
  const run = async () => {
    while (!stop.signal.aborted) {
      const nextMs = await round(stop.signal).then(
        () => everyMs,
        (error: unknown) => {
          log.warn({ err: error, loop: name }, 'a background round failed')
          return Math.min(everyMs, failedMs)
        },
      )
      const pauseMs = (nextMs * (2 + Math.random())) / 3
      await setTimeout(pauseMs, undefined, { signal: stop.signal }).catch(() => undefined)
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
