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

/** A trend shows at most this many sessions. */
export const mostSessions = 1_000
/** One statement reads this many current reports; the levels of each may take 80 KB. */
export const reportsAtOnce = 50

const scored = alias(scriptVersions, 'scored')
const newest = alias(scriptVersions, 'newest')

/** Selects stored reports of the caller's session, newest first. */
export function reportsOf(db: Database, caller: SessionOfCaller, which: WhichVersions) {
  return db
    .select({
      version: reportVersions.version,
      path: reportVersions.path,
      size: reportVersions.size,
      etag: reportVersions.etag,
      createdAt: reportVersions.createdAt,
      /** The version of the script that the report was scored from; null when that is not known. */
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

/** Returns whether the script has changed since the report was scored from it; null when that is not known. */
export const isStale = ({ scriptVersion, newestScript }: StoredReport): boolean | null =>
  scriptVersion === null ? null : newestScript !== scriptVersion

/** Selects the current reports of a case's sessions, latest session first, at most `reportsAtOnce` from `offset` on. */
export function currentReports(db: Database, { userId, caseId }: CaseOfCaller, timeZone: string, offset: number) {
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

/** Returns the id of a stored script version of this session. Throws `errors.invalidInput` if there is none. */
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
