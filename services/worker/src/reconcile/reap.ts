import type { Log } from '@playtherapy/jobs'
import { type Folder, inFolder, type ObjectStore } from '@playtherapy/object-store'
import { announce, type Database, outbox, reportVersions, scriptVersions, sessions, videos } from '@playtherapy/schema'
import { and, eq, inArray, isNull, lt, notExists, sql } from 'drizzle-orm'

/**
 * Seconds after which a pending version belongs to a save that died; a save takes a few. A save that ends later all the
 * same finds its row removed: it removes its object and was never acknowledged.
 */
const deadSaveSeconds = 180
/** Rows looked at in one round. */
const batchRows = 100

interface Resources {
  db: Database
  store: ObjectStore
}

/**
 * What the worker does every half minute: see {@link reap}. The first round after a failed one only asks whether the
 * database is back: while it was down no lease could be renewed, and processes get the time of a pause to do it.
 */
export function createReaper({ db, store, log }: Resources & { log: Log }) {
  let failed = false
  return async (): Promise<void> => {
    if (failed) {
      await db.execute(sql`select 1`)
      failed = false
      return
    }
    failed = true
    const counts = await reap({ db, store })
    failed = false
    if (Object.values(counts).some((count) => count > 0)) log.warn(counts, 'what a dead process left was removed')
  }
}

/**
 * Makes rows and objects agree again after a process died: it removes uploads whose lease ran out and saves that never
 * ended, and announces encodes that nobody announced. Every step is conditional, so that several processes may do it at
 * once. The row is removed before its object: otherwise an upload that only seemed dead could commit in between and
 * lose its object. An object that cannot be removed now is left to the orphan sweep. Returns the number of each.
 */
export async function reap({ db, store }: Resources) {
  return {
    uploads: await reapUploads({ db, store }),
    scripts: await reapVersions({ db, store }, 'script', scriptVersions),
    reports: await reapVersions({ db, store }, 'analyze_report', reportVersions),
    encodes: await announceForgotten(db),
  }
}

// The states below are literals and not parameters, because they have to match those of partial indexes.

async function reapUploads({ db, store }: Resources): Promise<number> {
  const dead = sql`${videos.state} = 'receiving' and ${videos.leaseUntil} < now()`
  const some = db.select({ id: videos.id }).from(videos).where(dead).limit(batchRows)
  const rows = await db
    .delete(videos)
    .where(and(dead, inArray(videos.id, some)))
    .returning({ path: videos.path })
  await remove(store, 'video', rows)
  return rows.length
}

async function reapVersions(
  { db, store }: Resources,
  folder: 'script' | 'analyze_report',
  table: typeof scriptVersions | typeof reportVersions,
): Promise<number> {
  const old = lt(table.createdAt, sql`now() - make_interval(secs => ${deadSaveSeconds})`)
  const dead = and(sql`${table.state} = 'pending'`, old)
  const some = db.select({ id: table.id }).from(table).where(dead).limit(batchRows)
  const rows = await db
    .delete(table)
    .where(and(dead, inArray(table.id, some)))
    .returning({ path: table.path })
  await remove(store, folder, rows)
  return rows.length
}

async function remove(store: ObjectStore, folder: Folder, rows: { path: string }[]): Promise<void> {
  const keys = rows.map(({ path }) => inFolder(folder, path))
  for (const key of keys) await store.abortUploads(key)
  if (keys.length > 0) await store.delete(keys)
}

/** The outbox keeps every encode until it has ended. Should a row be missing all the same, its encode is announced. */
async function announceForgotten(db: Database): Promise<number> {
  const announced = db
    .select({ id: outbox.id })
    .from(outbox)
    .where(
      and(
        sql`${outbox.name} = 'encode-video' and ${outbox.payload} ->> 'video_id' = ${videos.id}::text`,
        isNull(outbox.failedAt),
      ),
    )
  const rows = await db
    .select({ id: videos.id })
    .from(videos)
    .innerJoin(sessions, and(eq(sessions.id, videos.sessionId), eq(sessions.videoId, videos.id)))
    .where(and(sql`${videos.state} in ('stored', 'encoding')`, notExists(announced)))
    .limit(batchRows)
  for (const { id } of rows) await announce(db, 'encode-video', { video_id: id })
  return rows.length
}
