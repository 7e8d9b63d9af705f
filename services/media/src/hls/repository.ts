import { inFolder } from '@playtherapy/object-store'
import {
  chunkFiles,
  chunks,
  type Database,
  encodePlans,
  isBegun,
  joinChunks,
  ownSession,
  type Part,
  type Rung,
  rungs,
  sessions,
  statement,
  videos,
} from '@playtherapy/schema'
import type { LinkTarget } from '@playtherapy/service-kit'
import { and, asc, eq, lt, sql } from 'drizzle-orm'
import type { Piece } from '../playback/send.ts'

const { placeholder } = sql
const caller = { userId: placeholder('userId'), caseId: placeholder('caseId'), sessionId: placeholder('sessionId') }

/** A recording of the caller's session. What was encoded of one whose encode failed can be played, too. */
const wanted = sql`${sessions} join ${videos} on ${videos.sessionId} = ${sessions.id}
    and ${videos.id} = ${placeholder('videoId')}
  join ${encodePlans} on ${encodePlans.videoId} = ${videos.id}
  where ${ownSession(caller)}`

/**
 * When the encode was planned, in milliseconds: a part of ETags, because what is planned anew has other bytes below the same
 * ids.
 */
const plannedMs = sql`floor(extract(epoch from ${encodePlans.createdAt}) * 1000)::float8 as planned_ms`

/** How many chunks of each kind are encoded, from the first one without a gap. */
const extents = sql`select kind, bool_and(state = 'encoded') as is_complete,
    coalesce(min(index) filter (where state <> 'encoded'), count(*))::int as encoded
  from ${chunks} where video_id = (select id from video) group by kind`

/** How far a rung is encoded. Finished rungs have no end here, because nothing follows them. */
export interface Extent {
  /** This many chunks from the first one, without a gap. */
  chunks: number
  isComplete: boolean
  /** Seconds from the beginning of the recording. */
  until: number
}

type VideoState = (typeof videos.$inferSelect)['state']

/** What is there of a recording. */
export interface Outline {
  videoId: number
  plannedMs: number
  /** With `failed` its encode was given up, and nothing follows unless it is tried again. */
  state: VideoState
  hasScript: boolean
  seconds: number
  targetSeconds: number
  extents: Map<Rung, Extent>
}

interface OutlineRow extends Record<string, unknown> {
  id: number
  planned_ms: number
  state: VideoState
  has_script: boolean
  seconds: number
  target_seconds: number
  rung: Rung | null
  chunks: number
  is_complete: boolean
  until: number
}

/** Returns a function that finds what is there of a recording, without its segments; undefined if there is none. */
export function findOutline(db: Database) {
  const find = statement<OutlineRow>(
    db,
    sql`with video as (
        select ${videos.id} as id, ${videos.state} as state,
          ${sessions.scriptVersionId} is not null as has_script, seconds, target_seconds, ${plannedMs}
        from ${wanted} and ${isBegun(videos.id)}
      ), finished as (
        select rung from ${rungs} where video_id = (select id from video)
      ), extent as (${extents}), part (kind, rung) as (
        values ('sound'::chunk_kind, 'sound'::rung), ('copy', 'upper'), ('picture', 'upper'), ('picture', 'lower'),
          ('lower', 'lower')
      )
      select video.*, made.*
      from video left join (
        select rung, 0 as chunks, true as is_complete, 'infinity'::float8 as until from finished
        union all
        select rung, encoded, is_complete, to_seconds from extent join part using (kind) join ${chunks} using (kind)
        where video_id = (select id from video) and index = encoded - 1 and rung not in (select rung from finished)
      ) made on true`,
  )
  return async ({ userId, caseId, sessionId, videoId }: LinkTarget) => {
    const rows = await find({ userId, caseId, sessionId, videoId })
    const [row] = rows
    if (!row) return undefined
    const extents = new Map<Rung, Extent>()
    for (const { rung, chunks, is_complete, until } of rows) {
      if (rung) extents.set(rung, { chunks, isComplete: is_complete, until })
    }
    const { id, planned_ms, state, has_script, seconds, target_seconds } = row
    const found = { videoId: id, plannedMs: planned_ms, state, hasScript: has_script }
    return { ...found, seconds, targetSeconds: target_seconds, extents } satisfies Outline
  }
}

interface Described {
  codec: string
  /** Pixels; 0 for sound. */
  width: number
  height: number
  parts: Part[]
}

/**
 * Reads the segments of a rung, of a video that `findOutline` found: of its first `chunks` chunks, or of the whole rung once
 * it is finished. Undefined if there is none.
 */
export async function readRung(
  db: Database,
  videoId: number,
  name: Rung,
  encoded: number,
): Promise<Described | undefined> {
  const [finished] = await db
    .select({ codec: rungs.codec, width: rungs.width, height: rungs.height, parts: rungs.parts })
    .from(rungs)
    .where(and(eq(rungs.videoId, videoId), eq(rungs.rung, name)))
  if (finished) return finished
  const files = await db
    .select({ index: chunks.index, file: chunkFiles })
    .from(chunks)
    .innerJoin(chunkFiles, and(eq(chunkFiles.chunkId, chunks.id), eq(chunkFiles.rung, name)))
    .where(and(eq(chunks.videoId, videoId), lt(chunks.index, encoded)))
    .orderBy(asc(chunks.index))
  const withSegments = files.map(({ file }) => file).filter(({ segments }) => segments.length > 0)
  const [first] = withSegments
  if (!first) return undefined
  const { codec, width, height } = first
  return { codec, width, height, parts: joinChunks(withSegments).map(({ part }) => part) }
}

interface PieceRow extends Record<string, unknown> {
  planned_ms: number
  path: string
  etag: string
  skipped: number
  bytes: number
  start: number
  size: number
}

/** The objects of a rung, of which `pieces` holds those that were asked for, and the first one. */
export interface RungFile {
  plannedMs: number
  /** Bytes of the rung so far. */
  size: number
  pieces: Piece[]
}

/**
 * Returns a function that finds where bytes `from` to `to` of a rung are: in its one object or, before it is finished, in
 * those of its chunks, as `joinChunks` joins them. It reads no list of segments. Undefined if there is nothing of the rung.
 */
export function findPieces(db: Database) {
  const find = statement<PieceRow>(
    db,
    sql`with video as (
        select ${videos.id} as id, ${plannedMs} from ${wanted}
      ), finished as (
        select path, etag, size from ${rungs} where video_id = (select id from video) and rung = ${placeholder('rung')}
      ), extent as (${extents}), file as (
        select path, etag, size, header_bytes, header_hash, index
        from extent join ${chunks} using (kind) join ${chunkFiles} on chunk_id = ${chunks.id}
        where video_id = (select id from video) and index < encoded and rung = ${placeholder('rung')}
          and size > header_bytes and not exists (select from finished)
      ), joined as (
        select path, etag, 0 as skipped, size as bytes, 0 as index from finished
        union all
        select path, etag, skipped, size - skipped, index from (
          select *, case when header_hash = lag(header_hash) over (order by index) then header_bytes else 0 end as skipped
          from file
        ) as headed
      ), piece as (
        select *, sum(bytes) over (order by index) - bytes as start, sum(bytes) over () as size from joined
      )
      select planned_ms, path, etag, skipped, bytes::float8, start::float8, size::float8
      from video join piece on start = 0
        or (start <= ${placeholder('to')}::int8 and start + bytes > ${placeholder('from')}::int8)
      order by start`,
  )
  return async (
    { userId, caseId, sessionId, videoId }: LinkTarget,
    wanted: { rung: Rung; from: number; to: number },
  ): Promise<RungFile | undefined> => {
    const rows = await find({ userId, caseId, sessionId, videoId, ...wanted })
    const [row] = rows
    if (!row) return undefined
    const pieces = rows.map(({ path, etag, skipped, bytes, start }) => ({
      key: inFolder('video', path),
      etag,
      from: skipped,
      start,
      bytes,
    }))
    return { plannedMs: row.planned_ms, size: row.size, pieces }
  }
}
