import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Database, processes } from '@playtherapy/schema'
import { eq, sql } from 'drizzle-orm'
import type { FastifyBaseLogger } from 'fastify'
import { build } from './version.ts'

/** Pause between two heartbeats of a process. */
const heartbeatMs = 10_000
/** For how long a process that died without a word is remembered. */
const forgetSeconds = 3_600
/** How long `close` waits for the database. */
const closeMs = 1_000

interface Heartbeat {
  db: Database
  /** Which program this is. */
  kind: string
  log: Pick<FastifyBaseLogger, 'warn'>
  /** Measures the disk of scratch files, where the process has one. */
  scratch?: () => Promise<{ freeBytes: number; totalBytes: number }>
}

/**
 * Tells operators every ten seconds, by a row of the table `processes`, that this process runs and which release it is. A heartbeat that
 * fails is logged, and the next one follows. `close` removes the row, if the database works.
 */
export function startHeartbeat({ db, kind, log, scratch }: Heartbeat): { close(): Promise<void> } {
  const id = randomUUID()
  const beat = async () => {
    const disk = await scratch?.()
    const now = { seenAt: sql`now()`, scratchFreeBytes: disk?.freeBytes, scratchBytes: disk?.totalBytes }
    await db
      .insert(processes)
      .values({ id, kind, ...build, ...now })
      .onConflictDoUpdate({ target: processes.id, set: now })
    await db.delete(processes).where(sql`${processes.seenAt} < now() - make_interval(secs => ${forgetSeconds})`)
  }
  let beating: Promise<void> | undefined
  const begin = () => {
    beating ??= beat()
      .catch((error: unknown) => log.warn({ err: error }, 'a heartbeat failed'))
      .finally(() => {
        beating = undefined
      })
  }
  begin()
  const timer = setInterval(begin, heartbeatMs)
  return {
    async close() {
      clearInterval(timer)
      const forget = async () => {
        await beating
        await db.delete(processes).where(eq(processes.id, id))
      }
      // A database that hangs does not keep a process from ending: others forget its row.
      await Promise.race([forget().catch(() => {}), sleep(closeMs, undefined, { ref: false })])
    },
  }
}
