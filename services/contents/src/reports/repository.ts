import type { VersionSteps } from '@playtherapy/intake'
import { inFolder, type Phase, reportPath } from '@playtherapy/object-store'
import {
  cases,
  type Database,
  reportVersions,
  State,
  scriptVersions,
  sessions,
  type Transaction,
} from '@playtherapy/schema'
import { fault, ownSession, type SessionOfCaller } from '@playtherapy/service-kit'
import { and, desc, eq, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/pg-core'
import type { Levels } from './levels.ts'

/** Most versions, and most sessions, that one answer lists. */
const mostListed = 1_000

const scored = alias(scriptVersions, 'scored')
const newest = alias(scriptVersions, 'newest')

/** The stored reports of the caller's session, newest first: all, the one that counts, or one version. */
export function reportsOf(db: Database, caller: SessionOfCaller, which?: 'current' | number) {
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
    .where(
      and(
        ownSession(db, caller),
        eq(reportVersions.state, 'stored'),
        which === 'current' ? eq(reportVersions.id, sessions.reportVersionId) : undefined,
        typeof which === 'number' ? eq(reportVersions.version, which) : undefined,
      ),
    )
    .orderBy(desc(reportVersions.version))
    .limit(mostListed)
}

export type StoredReport = Awaited<ReturnType<typeof reportsOf>>[number]

/** Whether the script was changed since the report was scored from it; null when that is not known. */
export const isStale = ({ scriptVersion, newestScript }: StoredReport): boolean | null =>
  scriptVersion === null ? null : newestScript !== scriptVersion

/** The newest report of each session of the caller's case, of the latest sessions when there are too many. */
export function newestReports(
  db: Database,
  { userId, caseId }: Pick<SessionOfCaller, 'userId' | 'caseId'>,
  timeZone: string,
) {
  return db
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
    .innerJoin(cases, eq(cases.id, sessions.caseId))
    .innerJoin(reportVersions, eq(reportVersions.id, sessions.reportVersionId))
    .where(and(eq(cases.id, caseId), eq(cases.userId, userId)))
    .orderBy(desc(sessions.createdAt), desc(sessions.id))
    .limit(mostListed)
}

export interface NewReport {
  caseId: number
  sessionId: number
  /** Bytes. */
  size: number
  levels: Levels
  /** The script it was scored from; undefined for the newest. */
  scriptVersion: number | undefined
}

/**
 * How a new report version of a session is recorded. The analysis is DONE with it, unless its script is no longer the
 * newest: then it is due again. Throws 422 when it names a script version that is not there.
 */
export function reportSteps(
  db: Database,
  phase: Phase,
  { caseId, sessionId, size, levels, scriptVersion }: NewReport,
): VersionSteps {
  const session = and(eq(sessions.id, sessionId), eq(sessions.caseId, caseId))
  return {
    async reserve(tx) {
      const [next] = await tx
        .update(sessions)
        .set({ lastReportVersion: sql`${sessions.lastReportVersion} + 1` })
        .where(session)
        .returning({ version: sessions.lastReportVersion, scriptVersionId: sessions.scriptVersionId })
      if (!next) return undefined
      const { version } = next
      const scriptVersionId =
        scriptVersion === undefined ? next.scriptVersionId : await storedScript(tx, sessionId, scriptVersion)
      const path = reportPath(phase, caseId, sessionId, version)
      const [row] = await tx
        .insert(reportVersions)
        .values({ sessionId, version, path, size, levels, scriptVersionId })
        .returning({ id: reportVersions.id })
      return row && { id: row.id, version, key: inFolder('analyze_report', path) }
    },
    async commit(tx, id, etag) {
      const [found] = await tx
        .select({ scriptVersionId: sessions.scriptVersionId })
        .from(sessions)
        .where(session)
        .for('no key update')
      const [row] = await tx
        .update(reportVersions)
        .set({ state: 'stored', etag })
        .where(and(eq(reportVersions.id, id), eq(reportVersions.state, 'pending')))
        .returning({ version: reportVersions.version, scriptVersionId: reportVersions.scriptVersionId })
      if (!found || !row) return false
      const current = tx
        .select({ version: reportVersions.version })
        .from(reportVersions)
        .where(eq(reportVersions.id, sessions.reportVersionId))
      const stale = row.scriptVersionId !== null && row.scriptVersionId !== found.scriptVersionId
      await tx
        .update(sessions)
        .set({ reportVersionId: id, analyzeStateId: stale ? State.READY : State.DONE })
        .where(and(session, sql`coalesce((${current}), 0) < ${row.version}`))
      return true
    },
    async isStored(id) {
      const stored = and(eq(reportVersions.id, id), eq(reportVersions.state, 'stored'))
      return (await db.select({ id: reportVersions.id }).from(reportVersions).where(stored)).length > 0
    },
    release: (id) =>
      db.delete(reportVersions).where(and(eq(reportVersions.id, id), eq(reportVersions.state, 'pending'))),
  }
}

/** The id of a stored script version of this session. */
async function storedScript(tx: Transaction, sessionId: number, version: number): Promise<number> {
  const [script] = await tx
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
