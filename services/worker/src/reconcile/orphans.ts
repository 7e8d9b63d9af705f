import { attemptOf, folders, idsOf, inFolder, type ObjectStore, type Phase } from '@playtherapy/object-store'
import { audioRenditions, type Database, renditions, reportVersions, scriptVersions, videos } from '@playtherapy/schema'
import { and, eq, inArray, sql } from 'drizzle-orm'

interface Resources {
  db: Database
  store: ObjectStore
  phase: Phase
}

type Folder = (typeof folders)[number]

/** What the object store holds without a row. `size` in bytes; none for an upload that never ended. */
export interface Orphan {
  key: string
  size?: number
}

/** Keys whose rows are looked up at once. */
const batchSize = 500

/**
 * Everything of this phase in the object store that no row owns and that is older than the grace period, in batches.
 * A row is written before its object, but for a rendition, whose attempt stands in its video's row until the commit;
 * so what has no owner here will never have one. The grace period is for what we did not think of.
 *
 * What this database cannot have named is left alone: ids it has not given out yet, and other names. An empty database,
 * a backup older than the objects or a wrong bucket then cost no recording.
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
      if (batch.length < batchSize) continue
      yield await withoutOwner(resources.db, folder, batch)
      batch = []
    }
    if (batch.length > 0) yield await withoutOwner(resources.db, folder, batch)
  }
}

/** Tells whether every id in a column's value is one that this database has given out. */
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

/** Removes what has no owner; returns how many objects and unfinished uploads that were. Safe to run twice at once. */
export async function sweepOrphans(resources: Resources, graceSeconds: number): Promise<number> {
  let removed = 0
  for await (const orphans of findOrphans(resources, graceSeconds)) {
    await resources.store.delete(orphans.filter(({ size }) => size !== undefined).map(({ key }) => key))
    for (const { key, size } of orphans) if (size === undefined) await resources.store.abortUploads(key)
    removed += orphans.length
  }
  return removed
}
