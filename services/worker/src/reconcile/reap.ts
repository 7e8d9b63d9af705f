import type { Log } from '@playtherapy/jobs'
import { type Folder, inFolder, type ObjectStore, runAll } from '@playtherapy/object-store'
import {
  announce,
  type Database,
  failures,
  outbox,
  reportVersions,
  scriptVersions,
  sessions,
  tusUploads,
  videos,
} from '@playtherapy/schema'
import { and, eq, inArray, isNull, lt, notExists, sql } from 'drizzle-orm'
import { jobsOfEncode } from '../encode/video-repository.ts'

/**
 * Age at which the save of a pending version counts as dead; a save takes a few seconds. A save that ends later finds that
 * its row was removed, removes its object and reports an error.
 */
const deadSaveSeconds = 180
/** For how long the row of a failed upload is kept, so that its client finds out that it failed. */
const failedUploadSeconds = 3_600
/** Rows in one round. */
const batchRows = 100

interface Resources {
  db: Database
  store: ObjectStore
}

/**
 * Returns a round of {@link reap}. The first round after a failed one only asks whether the database is back: while it was
 * down no lease could be renewed, and processes get the time of a pause to do it.
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
 * Makes rows and objects agree again after a process died: it ends uploads with an expired lease or a newer recording, removes
 * saves that never ended, announces encodes without a job, and forgets failed uploads after an hour. Several processes may do it at
 * once. The row is changed or removed before its object is: otherwise an upload that only seemed dead could commit in between
 * and lose its object. The orphan sweep removes an object that cannot be removed now. Returns the number of each; rejects with
 * the first failure of the store after all is done that can be.
 */
export async function reap({ db, store }: Resources) {
  const failures: unknown[] = []
  const remove: Remove = async (folder, rows) => {
    const keys = rows.map(({ path }) => inFolder(folder, path))
    const tasks = [...keys.map((key) => () => store.abortUploads(key)), () => store.delete(keys)]
    await runAll(tasks).catch((error: unknown) => failures.push(error))
  }
  const counts = {
    uploads: await reapUploads(db, remove),
    failures: await forgetFailures(db, remove),
    scripts: await reapVersions(db, remove, 'script', scriptVersions),
    reports: await reapVersions(db, remove, 'analyze_report', reportVersions),
    encodes: await announceForgotten(db),
  }
  if (failures.length > 0) throw failures[0]
  return counts
}

/** Removes the objects of rows that were changed or removed. */
type Remove = (folder: Folder, rows: { path: string }[]) => Promise<void>

// The states below are literals, because they must match those of partial indexes.

/** An upload by tus that nobody writes, of a session that has a newer recording by now: it can never be the current one. */
const overtaken = sql`exists (
  select from ${tusUploads} join ${sessions} on ${sessions.id} = ${videos.sessionId} and ${sessions.videoId} > ${videos.id}
  where ${tusUploads.videoId} = ${videos.id} and coalesce(${tusUploads.heldUntil} < now(), true))`

async function reapUploads(db: Database, remove: Remove): Promise<number> {
  // The lease of an upload by tus is its expiry.
  const expired = sql`${videos.leaseUntil} < now()`
  const dead = sql`${videos.state} = 'receiving' and (${expired} or ${overtaken})`
  const some = db.select({ id: videos.id }).from(videos).where(dead).limit(batchRows)
  const failure = sql`case when ${expired} then ${`${failures.broken_off} Please upload it again.`}
    else ${failures.overtaken} end`
  const rows = await db
    .update(videos)
    .set({ state: 'failed', failure, leaseUntil: sql`now()` })
    .where(and(dead, inArray(videos.id, some)))
    .returning({ path: videos.path })
  await remove('video', rows)
  return rows.length
}

async function forgetFailures(db: Database, remove: Remove): Promise<number> {
  const old = sql`${videos.state} = 'failed' and ${videos.storedAt} is null
    and ${videos.leaseUntil} < now() - make_interval(secs => ${failedUploadSeconds})`
  const some = db.select({ id: videos.id }).from(videos).where(old).limit(batchRows)
  const rows = await db
    .delete(videos)
    .where(and(old, inArray(videos.id, some)))
    .returning({ path: videos.path })
  await remove('video', rows)
  return rows.length
}

async function reapVersions(
  db: Database,
  remove: Remove,
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
  await remove(folder, rows)
  return rows.length
}

/**
 * Announces an encode of which no job is in the outbox, although the outbox keeps every job until it has ended. The job finds
 * out what is still to be done.
 */
async function announceForgotten(db: Database): Promise<number> {
  const announced = jobsOfEncode(db, isNull(outbox.failedAt))
  const rows = await db
    .select({ id: videos.id })
    .from(videos)
    .innerJoin(sessions, and(eq(sessions.id, videos.sessionId), eq(sessions.videoId, videos.id)))
    .where(and(sql`${videos.state} in ('stored', 'encoding')`, notExists(announced)))
    .limit(batchRows)
  for (const { id } of rows) await announce(db, 'encode-video', { video_id: id })
  return rows.length
}
