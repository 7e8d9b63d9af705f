import { setTimeout } from 'node:timers/promises'
import type { ObjectStore, Phase } from '@playtherapy/object-store'
import type { Database } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'
import type { FastifyBaseLogger } from 'fastify'
import { forgetKeys } from './forget-keys.ts'
import { sweepOrphans } from './orphans.ts'
import { reap } from './reap.ts'

/** Longest pause between two looks at what dead processes left, in milliseconds. */
const reapMs = 30_000
/** Longest pause between two looks for orphans: they list the whole bucket. */
const sweepMs = 3_600_000
/** Held by the one process that sweeps. */
const sweepLock = 7_262_002

interface ReaperResources {
  db: Database
  store: ObjectStore
  phase: Phase
  /** How old an object without a row must be to be removed. */
  orphanGraceSeconds: number
}

/**
 * Mends in the background, for as long as the process lives, what dead processes left behind, and removes what no row
 * owns. `close` ends it after the round at hand.
 */
export function startReaper(resources: ReaperResources, log: FastifyBaseLogger) {
  const { db, store, phase, orphanGraceSeconds } = resources
  const stop = new AbortController()

  /** Does it again and again; a third of the pause is random, so that processes do not march in step. */
  const repeat = async (pauseMs: number, round: () => Promise<void>) => {
    while (!stop.signal.aborted) {
      await round().catch((error: unknown) => {
        log.warn({ err: error }, 'what dead processes left could not be mended')
      })
      const pause = (pauseMs * (2 + Math.random())) / 3
      await setTimeout(pause, undefined, { signal: stop.signal }).catch(() => undefined)
    }
  }
  // While the database was away no lease could be renewed; those who hold them get a round's time to do it.
  let away = false
  const finished = Promise.all([
    repeat(reapMs, async () => {
      if (away) {
        await db.execute(sql`select 1`)
        away = false
        return
      }
      away = true
      const mended = await reap({ db, store })
      away = false
      await forgetKeys(db)
      if (Object.values(mended).some((count) => count > 0)) log.warn(mended, 'what a dead process left was mended')
    }),
    repeat(Math.min(orphanGraceSeconds * 1_000, sweepMs), () =>
      alone(db, async () => {
        const orphans = await sweepOrphans({ db, store, phase }, orphanGraceSeconds)
        if (orphans > 0) log.warn({ orphans }, 'objects that no row owned were removed')
      }),
    ),
  ])
  return {
    async close() {
      stop.abort()
      await finished
    },
  }
}

/** Does the work unless another process is at it; one that dies gives the lock back with its connection. */
const alone = (db: Database, work: () => Promise<void>): Promise<void> =>
  db.transaction(async (tx) => {
    await tx.execute(sql`set local idle_in_transaction_session_timeout = 0`)
    const [lock] = await tx.execute<{ held: boolean }>(sql`select pg_try_advisory_xact_lock(${sweepLock}) as held`)
    if (lock?.held) await work()
  })
