import { inFolder, type ObjectStore } from '@playtherapy/object-store'
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
 * ended, videos whose encode nobody announced. Every step is conditional, so that several processes may do it at once,
 * and repeats by itself until the object store has answered. Returns what it mended.
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
  const rows = await db.select({ id: videos.id, path: videos.path }).from(videos).where(dead).limit(batch)
  for (const { id, path } of rows) {
    const key = inFolder('video', path)
    await store.abortUploads(key)
    await store.delete([key])
    await db.delete(videos).where(and(dead, eq(videos.id, id)))
  }
  return rows.length
}

async function reapVersions(
  { db, store }: Resources,
  folder: 'script' | 'analyze_report',
  table: typeof scriptVersions | typeof reportVersions,
): Promise<number> {
  const old = lt(table.createdAt, sql`now() - make_interval(secs => ${deadSave})`)
  const dead = and(eq(table.state, 'pending'), old)
  const rows = await db.select({ id: table.id, path: table.path }).from(table).where(dead).limit(batch)
  for (const { id, path } of rows) {
    const key = inFolder(folder, path)
    await store.abortUploads(key)
    await store.delete([key])
    await db.delete(table).where(and(dead, eq(table.id, id)))
  }
  return rows.length
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
