import {
  type CaseOfCaller,
  type Database,
  ownSession,
  ownSessions,
  reportVersions,
  type SessionOfCaller,
  scriptVersions,
  sessions,
} from '@playtherapy/schema'
import { fault } from '@playtherapy/service-kit'
import { mostVersions, storedVersions, type WhichVersions } from '@playtherapy/versions'
import { and, desc, eq, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/pg-core'

/** Most sessions of a trend. */
export const mostSessions = 1_000
/** Newest reports that one statement reads: their levels may take 80 KB each. */
export const reportsAtOnce = 50

const scored = alias(scriptVersions, 'scored')
const newest = alias(scriptVersions, 'newest')

/** The stored reports of the caller's session, newest first. */
export function reportsOf(db: Database, caller: SessionOfCaller, which: WhichVersions) {
  return db
    .select({
      version: reportVersions.version,
      path: reportVersions.path,
      size: reportVersions.size,
      etag: reportVersions.etag,
      createdAt: reportVersions.createdAt,
      /** The script it was scored from, where that is known. */
      scriptVersion: scored.version,
      newestScript: newest.version,
    })
    .from(sessions)
    .innerJoin(reportVersions, eq(reportVersions.sessionId, sessions.id))
    .leftJoin(scored, eq(scored.id, reportVersions.scriptVersionId))
    .leftJoin(newest, eq(newest.id, sessions.scriptVersionId))
    .where(and(ownSession(caller), storedVersions(reportVersions, sessions.reportVersionId, which)))
    .orderBy(desc(reportVersions.version))
    .limit(mostVersions)
}

export type StoredReport = Awaited<ReturnType<typeof reportsOf>>[number]

/** Whether the script was changed since the report was scored from it; null when that is not known. */
export const isStale = ({ scriptVersion, newestScript }: StoredReport): boolean | null =>
  scriptVersion === null ? null : newestScript !== scriptVersion

/** The newest report of each session of the caller's case, latest session first: some of them, after `offset` others. */
export function newestReports(db: Database, { userId, caseId }: CaseOfCaller, timeZone: string, offset: number) {
  return db.heavy(userId, (pool) =>
    pool
      .select({
        session_id: sessions.id,
        name: sessions.name,
        createdAt: sessions.createdAt,
        created_date: sql<string>`to_char(${sessions.createdAt} at time zone ${timeZone}, 'YYYY-MM-DD')`,
        levels: reportVersions.levels,
        path: reportVersions.path,
        etag: reportVersions.etag,
      })
      .from(sessions)
      .innerJoin(reportVersions, eq(reportVersions.id, sessions.reportVersionId))
      .where(ownSessions({ userId, caseId }))
      .orderBy(desc(sessions.createdAt), desc(sessions.id))
      .offset(offset)
      .limit(reportsAtOnce),
  )
}

/** The id of a stored script version of this session. Throws 422 when there is none of that number. */
export async function storedScript(db: Database, sessionId: number, version: number): Promise<number> {
  const [script] = await db
    .select({ id: scriptVersions.id })
    .from(scriptVersions)
    .where(
      and(
        eq(scriptVersions.sessionId, sessionId),
        eq(scriptVersions.version, version),
        eq(scriptVersions.state, 'stored'),
      ),
    )
  if (!script) throw fault(['query', 'script_version'], 'is no version of the script')
  return script.id
}
