import {
  type AttemptOf,
  attemptOf,
  type Folder,
  folders,
  idsOf,
  inFolder,
  type ObjectStore,
  type Phase,
  runAll,
} from '@playtherapy/object-store'
import {
  audioRenditions,
  caseExports,
  chunkFiles,
  chunks,
  type Database,
  erasures,
  previews,
  renditions,
  reportVersions,
  rungs,
  scriptVersions,
  tryLock,
  videos,
} from '@playtherapy/schema'
import { and, eq, gt, inArray, isNull, or, sql } from 'drizzle-orm'

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
 * A row is written before its object, and the row of a video or a chunk names its running attempt. So an object without an
 * owner will never have one; the grace period is an additional protection. Objects with ids newer than the
 * database, with other names, and those that an erasure is going to remove are kept: a restore of an older backup, or an empty database, loses no recording.
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
  const [most] = await db.execute<{ cases: number; sessions: number; videos: number; chunks: number }>(
    sql`select ${last('cases')} as cases, ${last('sessions')} as sessions, ${last('videos')} as videos,
      ${last('chunks')} as chunks`,
  )
  return (path) => {
    const ids = idsOf(path)
    if (!most || !ids) return false
    const chunkId = attemptOf(path)?.chunkId ?? 0
    const { caseId, sessionId, videoId } = ids
    return caseId <= most.cases && sessionId <= most.sessions && videoId <= most.videos && chunkId <= most.chunks
  }
}

async function withoutOwner(db: Database, folder: Folder, candidates: Orphan[]): Promise<Orphan[]> {
  const pathOf = ({ key }: Orphan) => key.slice(folder.length + 1)
  const paths = candidates.map(pathOf)
  const columns = {
    video: [
      ...[videos.path, renditions.path, audioRenditions.path, chunkFiles.path, rungs.path],
      ...[previews.posterPath, previews.storyboardPath],
    ],
    script: [scriptVersions.path],
    analyze_report: [reportVersions.path],
    export: [caseExports.path],
  }[folder]
  const isErased = await pendingErasures(db, paths)
  // It is asked first: an attempt that commits in between is an owner then.
  const isUnderWay = await runningAttempts(db, paths)
  const owned = new Set<string>()
  for (const column of columns) {
    const rows = await db.select({ path: column }).from(column.table).where(inArray(column, paths))
    for (const { path } of rows) if (path !== null) owned.add(path)
  }
  return candidates
    .map((candidate) => ({ candidate, path: pathOf(candidate) }))
    .filter(({ path }) => !owned.has(path) && !isUnderWay(path) && !isErased(path))
    .map(({ candidate }) => candidate)
}

/**
 * Tells whether the attempt that an object's path names may still commit. An encoded video has attempts, too: they add rungs
 * and previews to it.
 */
async function runningAttempts(db: Database, paths: string[]): Promise<(path: string) => boolean> {
  const attempts = paths.flatMap((path) => attemptOf(path) ?? [])
  const videoIds = attempts.map(({ videoId }) => videoId)
  const chunkIds = attempts.flatMap(({ chunkId }) => chunkId ?? [])
  const isAlive = and(eq(videos.state, 'encoded'), gt(videos.leaseUntil, sql`now()`))
  const [ofVideos, ofChunks] = await Promise.all([
    db
      .select({ videoId: videos.id, attempt: videos.attempt })
      .from(videos)
      .where(and(inArray(videos.id, videoIds), or(eq(videos.state, 'encoding'), isAlive))),
    db
      .select({ videoId: chunks.videoId, chunkId: chunks.id, attempt: chunks.attempt })
      .from(chunks)
      .where(and(inArray(chunks.id, chunkIds), eq(chunks.state, 'encoding'))),
  ])
  const nameOf = ({ videoId, chunkId, attempt }: AttemptOf) => `${videoId}-${chunkId ?? ''}-${attempt}`
  const running = new Set([
    ...ofVideos.map((video) => nameOf({ ...video, chunkId: undefined })),
    ...ofChunks.map(nameOf),
  ])
  return (path) => {
    const attempt = attemptOf(path)
    return attempt !== undefined && running.has(nameOf(attempt))
  }
}

/** Tells whether an erasure without a receipt will remove what is at a path. It notes it first, so that the receipt names it. */
async function pendingErasures(db: Database, paths: string[]): Promise<(path: string) => boolean> {
  const caseIds = paths.flatMap((path) => idsOf(path)?.caseId ?? [])
  const pending = await db
    .select({ caseId: erasures.caseId, sessionId: erasures.sessionId, videoId: erasures.videoId })
    .from(erasures)
    .where(and(inArray(erasures.caseId, caseIds), isNull(erasures.receipt)))
  return (path) => {
    const ids = idsOf(path)
    return pending.some(
      ({ caseId, sessionId, videoId }) =>
        caseId === ids?.caseId && [null, ids.sessionId].includes(sessionId) && [null, ids.videoId].includes(videoId),
    )
  }
}

/**
 * Removes orphans, also in several processes at once; returns their number. Rejects with the first failure after it has tried to
 * remove all.
 */
export async function sweepOrphans(resources: Resources, graceSeconds: number): Promise<number> {
  const { store } = resources
  let removed = 0
  await runAll(
    (async function* () {
      for await (const orphans of findOrphans(resources, graceSeconds)) {
        removed += orphans.length
        const objects = orphans.filter(({ size }) => size !== undefined).map(({ key }) => key)
        yield () => store.delete(objects)
        for (const { key, size } of orphans) if (size === undefined) yield () => store.abortUploads(key)
      }
    })(),
  )
  return removed
}

/**
 * Like {@link sweepOrphans}, but 0 while another process does it or imports a case. Holds the lock `sweepOrphans`, in an idle transaction,
 * until the sweep has ended.
 */
export const sweepOrphansAlone = (resources: Resources, graceSeconds: number): Promise<number> =>
  resources.db.transaction(async (tx) => {
    if (!(await tryLock(tx, 'sweepOrphans'))) return 0
    // It comes after the lock, whose statement would otherwise keep its snapshot, and vacuum could remove no row until the sweep has ended.
    await tx.execute(sql`set local idle_in_transaction_session_timeout = 0`)
    return sweepOrphans(resources, graceSeconds)
  })
