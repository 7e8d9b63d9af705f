import { type Folder, inFolder, type ObjectStore } from '@playtherapy/object-store'
import { announce, type Database, outbox, reportVersions, scriptVersions, sessions, videos } from '@playtherapy/schema'
import { and, eq, inArray, isNull, lt, notExists, sql } from 'drizzle-orm'

/**
 * Seconds after which a version that is still pending belongs to a save that died; a save takes a few. One that comes
 * later all the same finds its row gone, removes its object and was never acknowledged.
 */
const deadSave = 180
/** Rows looked at in one round. */
const batch = 100

interface Resources {
  db: Database
  store: ObjectStore
}

/**
 * Makes rows and objects agree again after a process died in between: uploads whose lease ran out, saves that never
 * ended, videos whose encode nobody announced. Every step is conditional, so that several processes may do it at once.
 * The row goes first: the other way round, one thought dead could commit in between and have lost its object. What the
 * object store cannot remove just then is left to the sweep for orphans. Returns what it mended.
 */
export async function reap({ db, store }: Resources) {
  return {
    uploads: await reapUploads({ db, store }),
    scripts: await reapVersions({ db, store }, 'script', scriptVersions),
    reports: await reapVersions({ db, store }, 'analyze_report', reportVersions),
    encodes: await announceForgotten(db),
  }
}

async function reapUploads({ db, store }: Resources): Promise<number> {
  const dead = and(eq(videos.state, 'receiving'), lt(videos.leaseUntil, sql`now()`))
  const some = db.select({ id: videos.id }).from(videos).where(dead).limit(batch)
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
  const old = lt(table.createdAt, sql`now() - make_interval(secs => ${deadSave})`)
  const dead = and(eq(table.state, 'pending'), old)
  const some = db.select({ id: table.id }).from(table).where(dead).limit(batch)
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

/** The outbox remembers every encode until it has ended; should one be missing all the same, it is announced. */
async function announceForgotten(db: Database): Promise<number> {
  const announced = db
    .select({ id: outbox.id })
    .from(outbox)
    .where(
      and(
        eq(outbox.name, 'encode-video'),
        isNull(outbox.failedAt),
        sql`(${outbox.payload} ->> 'video_id')::int = ${videos.id}`,
      ),
    )
  const rows = await db
    .select({ id: videos.id })
    .from(videos)
    .innerJoin(sessions, eq(sessions.videoId, videos.id))
    .where(and(inArray(videos.state, ['stored', 'encoding']), notExists(announced)))
    .limit(batch)
  for (const { id } of rows) await announce(db, 'encode-video', { video_id: id })
  return rows.length
}
