import { type Database, renditions, reportVersions, scriptVersions, sessions, videos } from '@playtherapy/schema'
import { and, asc, eq, gt, gte, isNotNull, isNull, or, sql } from 'drizzle-orm'
import type { SessionDocument } from './format.ts'

/** Where an object lies. */
interface Place {
  path: string
  size: number
  etag: string
}

/** A script, with the SHA-256 of its bytes in hex; null for versions that are older than checksums. */
export interface StoredScript extends Place {
  checksum: string | null
}

/** A session as it is exported, and where its objects are. */
export interface ReadSession {
  document: SessionDocument
  /** By the id of the recording. */
  originals: Map<number, Place>
  renditions: Map<number, Place>
  /** By the number of the version. */
  scripts: Map<number, StoredScript>
  reports: Map<number, Place>
}

/** The ids of a case's sessions, in their order. */
export async function sessionIds(db: Database, caseId: number): Promise<number[]> {
  const rows = await db
    .select({ id: sessions.id })
    .from(sessions)
    .where(eq(sessions.caseId, caseId))
    .orderBy(asc(sessions.id))
  return rows.map(({ id }) => id)
}

/** Bytes of all that is exported of a case, without what is made for the export. Those of recordings are counted apart. */
export async function bytesOfCase(db: Database, caseId: number): Promise<{ media: number; documents: number }> {
  const sum = (table: typeof videos | typeof renditions | typeof scriptVersions | typeof reportVersions) =>
    sql`coalesce((select sum(${table.size}) from ${table} join ${sessions} on ${sessions.id} = ${table.sessionId}
      where ${sessions.caseId} = ${caseId}), 0)`
  const [row] = await db.execute<{ media: number; documents: number }>(sql`
    select (${sum(videos)} + ${sum(renditions)})::float8 as media,
      (${sum(scriptVersions)} + ${sum(reportVersions)})::float8 as documents`)
  if (!row) throw new Error('there is no row')
  return row
}

const stored = <Row extends { etag: string | null }>(row: Row): row is Row & { etag: string } => row.etag !== null

/** Reads a session with all that is stored of it, at one moment; undefined when it was deleted. */
export const readSession = (db: Database, sessionId: number): Promise<ReadSession | undefined> =>
  db.transaction(
    async (tx) => {
      const [session] = await tx.select().from(sessions).where(eq(sessions.id, sessionId))
      if (!session) return undefined
      const recordings = await tx
        .select({ video: videos, rendition: renditions })
        .from(videos)
        .leftJoin(renditions, eq(renditions.videoId, videos.id))
        .where(and(eq(videos.sessionId, sessionId), isNotNull(videos.storedAt), gt(videos.size, 0)))
        .orderBy(asc(videos.id))
      const scripts = await tx
        .select()
        .from(scriptVersions)
        .where(and(eq(scriptVersions.sessionId, sessionId), eq(scriptVersions.state, 'stored')))
        .orderBy(asc(scriptVersions.version))
      const reports = await tx
        .select()
        .from(reportVersions)
        .where(and(eq(reportVersions.sessionId, sessionId), eq(reportVersions.state, 'stored')))
        .orderBy(asc(reportVersions.version))
      const numberOf = (versions: { id: number; version: number }[], id: number | null) =>
        versions.find((version) => version.id === id)?.version ?? null
      const result: ReadSession = {
        originals: new Map(),
        renditions: new Map(),
        scripts: new Map(scripts.filter(stored).map((row) => [row.version, row])),
        reports: new Map(reports.filter(stored).map((row) => [row.version, row])),
        document: {
          id: session.id,
          name: session.name,
          session_state_id: session.sessionStateId,
          encoding_state_id: session.encodingStateId,
          script_state_id: session.scriptStateId,
          analyze_state_id: session.analyzeStateId,
          video_length: session.videoLength,
          video_length_set_for: session.videoLengthSetFor,
          previous_video_length: session.previousVideoLength,
          created_at: session.createdAt.toISOString(),
          last_script_version: session.lastScriptVersion,
          last_report_version: session.lastReportVersion,
          current: {
            recording: session.videoId,
            rendition_of: recordings.find(({ rendition }) => rendition?.id === session.renditionId)?.video.id ?? null,
            script_version: numberOf(scripts, session.scriptVersionId),
            report_version: numberOf(reports, session.reportVersionId),
          },
          recordings: [],
          scripts: scripts.map(({ version, size, madeBy, warnings, createdAt }) => ({
            version,
            size,
            made_by: madeBy,
            warnings,
            created_at: createdAt.toISOString(),
          })),
          reports: reports.map(({ version, size, levels, scriptVersionId, createdAt }) => ({
            version,
            size,
            levels,
            script_version: numberOf(scripts, scriptVersionId),
            created_at: createdAt.toISOString(),
          })),
        },
      }
      for (const { video, rendition } of recordings) {
        const { id, state, container, size, etag, storedAt } = video
        if (state === 'presigned' || state === 'receiving') continue
        if (!container || size === null || !etag || !storedAt) continue
        result.originals.set(id, { path: video.path, size, etag })
        if (rendition) result.renditions.set(id, rendition)
        result.document.recordings.push({
          id,
          state,
          file_name: video.fileName,
          container,
          size,
          failure: video.failure,
          created_at: video.createdAt.toISOString(),
          stored_at: storedAt.toISOString(),
          rendition: rendition && {
            size: rendition.size,
            duration_ms: rendition.durationMs,
            width: rendition.width,
            height: rendition.height,
            created_at: rendition.createdAt.toISOString(),
          },
        })
      }
      return result
    },
    { isolationLevel: 'repeatable read', accessMode: 'read only' },
  )

/**
 * Whether a recording is still one of its session, and no newer one plays in its place. What a newer one has replaced is removed, its objects
 * before its row.
 */
export async function isKept(db: Database, videoId: number): Promise<boolean> {
  const rows = await db
    .select({ id: videos.id })
    .from(videos)
    .innerJoin(sessions, eq(sessions.id, videos.sessionId))
    .leftJoin(renditions, eq(renditions.id, sessions.renditionId))
    .where(and(eq(videos.id, videoId), or(isNull(renditions.videoId), gte(videos.id, renditions.videoId))))
  return rows.length > 0
}
