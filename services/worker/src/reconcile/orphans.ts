import {
  attemptOf,
  type Folder,
  folders,
  idsOf,
  inFolder,
  type ObjectStore,
  type Phase,
} from '@playtherapy/object-store'
import {
  audioRenditions,
  type Database,
  renditions,
  reportVersions,
  scriptVersions,
  tryLock,
  videos,
} from '@playtherapy/schema'
import { and, eq, inArray, sql } from 'drizzle-orm'

interface Resources {
  db: Database
  store: ObjectStore
  phase: Phase
}

/** An object or an unfinished upload without a row. `size` in bytes; undefined for an upload. */
export interface Orphan {
  key: string
  size?: number
}

/** Keys that are looked up at once. */
const batchKeys = 500

/**
 * All objects and unfinished uploads of this phase that no row owns and that are older than the grace period, in batches.
 * A row is written before its object, and the row of a video names the running attempt at its rendition. So an object
 * without an owner will never have one; the grace period is an additional protection. Objects with ids newer than the
 * database, and with other names, are kept: a restore of an older backup, or an empty database, loses no recording.
 */
export async function* findOrphans(resources: Resources, graceSeconds: number): AsyncGenerator<Orphan[]> {
  const { store, phase } = resources
  const limit = Date.now() - graceSeconds * 1_000
  for (const folder of folders) {
    const prefix = inFolder(folder, `${phase}/`)
    const isOurs = await givenOut(resources.db)
    const candidates = async function* (): AsyncGenerator<Orphan> {
      for await (const { key, size, lastModified } of store.list(prefix)) {
        if (lastModified.getTime() < limit) yield { key, size }
      }
      for await (const { key, began } of store.unfinished(prefix)) if (began.getTime() < limit) yield { key }
    }
    let batch: Orphan[] = []
    for await (const candidate of candidates()) {
      if (!isOurs(candidate.key.slice(folder.length + 1))) continue
      batch.push(candidate)
      if (batch.length < batchKeys) continue
      yield await withoutOwner(resources.db, folder, batch)
      batch = []
    }
    if (batch.length > 0) yield await withoutOwner(resources.db, folder, batch)
  }
}

/** Tells whether this database has given out every id in a path. */
async function givenOut(db: Database): Promise<(path: string) => boolean> {
  const last = (table: string) => sql`coalesce(pg_sequence_last_value(${`${table}_id_seq`}), 0)::int4`
  const [most] = await db.execute<{ cases: number; sessions: number; videos: number }>(
    sql`select ${last('cases')} as cases, ${last('sessions')} as sessions, ${last('videos')} as videos`,
  )
  return (path) => {
    const ids = idsOf(path)
    if (!most || !ids) return false
    return ids.caseId <= most.cases && ids.sessionId <= most.sessions && ids.videoId <= most.videos
  }
}

async function withoutOwner(db: Database, folder: Folder, candidates: Orphan[]): Promise<Orphan[]> {
  const pathOf = ({ key }: Orphan) => key.slice(folder.length + 1)
  const paths = candidates.map(pathOf)
  const tables = {
    video: [videos, renditions, audioRenditions],
    script: [scriptVersions],
    analyze_report: [reportVersions],
  }[folder]
  const owned = new Set<string>()
  for (const table of tables) {
    const rows = await db.select({ path: table.path }).from(table).where(inArray(table.path, paths))
    for (const { path } of rows) owned.add(path)
  }
  const attempts = paths.flatMap((path) => attemptOf(path)?.videoId ?? [])
  const encoding = await db
    .select({ id: videos.id, attempt: videos.attempt })
    .from(videos)
    .where(and(inArray(videos.id, attempts), eq(videos.state, 'encoding')))
  const underWay = (path: string) => {
    const of = attemptOf(path)
    return encoding.some(({ id, attempt }) => id === of?.videoId && attempt === of.attempt)
  }
  return candidates.filter((candidate) => !owned.has(pathOf(candidate)) && !underWay(pathOf(candidate)))
}

/** Removes orphans, also in several processes at once; returns their number. */
export async function sweepOrphans(resources: Resources, graceSeconds: number): Promise<number> {
  let removed = 0
  for await (const orphans of findOrphans(resources, graceSeconds)) {
    await resources.store.delete(orphans.filter(({ size }) => size !== undefined).map(({ key }) => key))
    for (const { key, size } of orphans) if (size === undefined) await resources.store.abortUploads(key)
    removed += orphans.length
  }
  return removed
}

/**
 * Like {@link sweepOrphans}, but 0 while another process does it. Holds the lock `sweepOrphans`, in an idle transaction,
 * until the sweep has ended.
 */
export const sweepOrphansAlone = (resources: Resources, graceSeconds: number): Promise<number> =>
  resources.db.transaction(async (tx) => {
    await tx.execute(sql`set local idle_in_transaction_session_timeout = 0`)
    return (await tryLock(tx, 'sweepOrphans')) ? sweepOrphans(resources, graceSeconds) : 0
  })
