import { outbox, type Pool, processes, recentEncodes, webhooks } from '@playtherapy/schema'
import { desc, isNotNull, isNull, type SQL, sql } from 'drizzle-orm'

/** The minutes of the view of the pace. */
export const minutesShown = 60
/** Given-up jobs on one page. */
const lettersPerPage = 50
/** Most processes shown. */
const mostProcesses = 200
/** A process whose last heartbeat is older counts as dead; they come every ten seconds. */
const aliveSeconds = 30

const isOpen = isNull(outbox.failedAt)
const isDue = sql`${outbox.availableAt} <= now()`
/** Attempts are counted from their beginning, but for first ones of less than 50 ms. */
const isBegun = sql`(${outbox.publishedAt} is not null and ${outbox.attempts} > 0)`
const countOf = (condition: SQL) => sql<number>`(count(*) filter (where ${condition}))::int`

/** Counts the jobs of each name by their state, and the seconds for which the oldest one that has not begun has been due. */
export const countJobs = (pool: Pool) =>
  pool
    .select({
      name: sql<string>`${outbox.name}`,
      later: countOf(sql`${isOpen} and not ${isDue}`),
      waiting: countOf(sql`${isOpen} and ${isDue} and not ${isBegun}`),
      begun: countOf(sql`${isOpen} and ${isDue} and ${isBegun}`),
      failed: countOf(sql`not ${isOpen} and not ${outbox.isRefused}`),
      refused: countOf(sql`not ${isOpen} and ${outbox.isRefused}`),
      oldest_seconds: sql<number | null>`extract(epoch from
        now() - min(${outbox.availableAt}) filter (where ${isOpen} and ${isDue} and not ${isBegun}))::float8`,
    })
    .from(outbox)
    .groupBy(outbox.name)
    .orderBy(outbox.name)

/** The order of given-up jobs, all descending: that of the index `outbox_dead_letters_index`. */
const isNoWebhook = sql<boolean>`(${outbox.name} <> 'send-webhook')`
const hasFailed = sql<boolean>`(not ${outbox.isRefused})`

/** Where the page before ended: `isNoWebhook`, `hasFailed` and the id of its last job. */
export type Mark = [isNoWebhook: boolean, hasFailed: boolean, id: number]

/**
 * Selects given-up jobs after a mark, or the first ones: first those that failed, then those that were refused, then webhooks, of which
 * a receiver that is down leaves many; the newest of each first. Returns the mark for the next page, if there is one.
 */
export async function givenUpJobs(pool: Pool, after: Mark | undefined) {
  const rows = await pool
    .select({
      id: outbox.id,
      name: sql<string>`${outbox.name}`,
      ids: outbox.payload,
      attempts: outbox.attempts,
      at: sql<Date>`${outbox.failedAt}`.mapWith(outbox.failedAt),
      reason: sql<string>`${outbox.failure}`,
      isRefused: outbox.isRefused,
      isNoWebhook,
    })
    .from(outbox)
    .where(
      sql`${isNotNull(outbox.failedAt)} and ${
        after ? sql`(${isNoWebhook}, ${hasFailed}, ${outbox.id}) < (${after[0]}, ${after[1]}, ${after[2]})` : sql`true`
      }`,
    )
    .orderBy(desc(isNoWebhook), desc(hasFailed), desc(outbox.id))
    .limit(lettersPerPage + 1)
  const page = rows.slice(0, lettersPerPage)
  const last = rows.length > page.length ? page.at(-1) : undefined
  const next: Mark | undefined = last && [last.isNoWebhook, !last.isRefused, last.id]
  return { page, next }
}

const isAlive = sql<boolean>`${processes.seenAt} > now() - make_interval(secs => ${aliveSeconds})`

/** The processes that run or have run lately, workers first, and no more than operators can look at. */
export const runningProcesses = (pool: Pool) =>
  pool
    .select({
      id: processes.id,
      kind: processes.kind,
      version: processes.version,
      commit: processes.commit,
      startedAt: processes.startedAt,
      seenAt: processes.seenAt,
      isAlive,
      scratchFreeBytes: processes.scratchFreeBytes,
      scratchBytes: processes.scratchBytes,
    })
    .from(processes)
    .orderBy(sql`${processes.kind} <> 'worker'`, processes.kind, processes.startedAt, processes.id)
    .limit(mostProcesses)

/** Counts the processes of each kind that run, and those that ended without a word. */
export const countProcesses = (pool: Pool) =>
  pool
    .select({
      kind: processes.kind,
      alive: countOf(isAlive),
      lost: countOf(sql`not ${isAlive}`),
    })
    .from(processes)
    .groupBy(processes.kind)

/** Seconds of recordings that were encoded in each of the last minutes, the oldest first. */
export async function encodedSeconds(pool: Pool): Promise<number[]> {
  const age = sql`floor(extract(epoch from now() - ${recentEncodes.at}) / 60)`
  const rows = await pool
    .select({ minutesAgo: sql<number>`greatest(${age}, 0)::int`, seconds: sql<number>`sum(${recentEncodes.seconds})` })
    .from(recentEncodes)
    .where(sql`${recentEncodes.at} > now() - make_interval(mins => ${minutesShown})`)
    .groupBy(sql`1`)
  const seconds = Array<number>(minutesShown).fill(0)
  for (const row of rows) seconds[minutesShown - 1 - row.minutesAgo] = row.seconds
  return seconds
}

/** Sessions of which the receiver of webhooks is still to be told, and for how long it has missed the oldest message. */
export async function waitingWebhooks(pool: Pool) {
  const [row] = await pool
    .select({
      waiting: sql<number>`count(*)::int`,
      oldestSeconds: sql<number>`coalesce(extract(epoch from now() - min(${webhooks.firstAt})), 0)::float8`,
    })
    .from(webhooks)
  if (!row) throw new Error('there is no row')
  return row
}

/** Bytes of the database on its disk. */
export async function databaseBytes(pool: Pool): Promise<number> {
  const [row] = await pool.execute<{ bytes: number }>(sql`select pg_database_size(current_database())::float8 as bytes`)
  if (!row) throw new Error('there is no row')
  return row.bytes
}
