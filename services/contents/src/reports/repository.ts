import type { VersionSteps } from '@playtherapy/intake'
import { inFolder, type Phase, reportPath } from '@playtherapy/object-store'
import { type Database, reportVersions, State, sessions } from '@playtherapy/schema'
import { ownSession, type SessionOfCaller } from '@playtherapy/service-kit'
import { and, eq, sql } from 'drizzle-orm'

/** The newest report of the caller's session, if there is one. */
export async function currentReport(db: Database, caller: SessionOfCaller) {
  const [report] = await db
    .select({ path: reportVersions.path, size: reportVersions.size, etag: reportVersions.etag })
    .from(sessions)
    .innerJoin(reportVersions, eq(reportVersions.id, sessions.reportVersionId))
    .where(ownSession(db, caller))
  return report
}

/** How a new report version of a session is recorded; the analysis is DONE with it. */
export function reportSteps(
  db: Database,
  phase: Phase,
  { caseId, sessionId, size }: { caseId: number; sessionId: number; size: number },
): VersionSteps {
  const session = and(eq(sessions.id, sessionId), eq(sessions.caseId, caseId))
  return {
    async reserve(tx) {
      const [next] = await tx
        .update(sessions)
        .set({ lastReportVersion: sql`${sessions.lastReportVersion} + 1` })
        .where(session)
        .returning({ version: sessions.lastReportVersion })
      if (!next) return undefined
      const { version } = next
      const path = reportPath(phase, caseId, sessionId, version)
      const [row] = await tx
        .insert(reportVersions)
        .values({ sessionId, version, path, size })
        .returning({ id: reportVersions.id })
      return row && { id: row.id, version, key: inFolder('analyze_report', path) }
    },
    async commit(tx, id, etag) {
      const [found] = await tx.select({ id: sessions.id }).from(sessions).where(session).for('no key update')
      const [row] = await tx
        .update(reportVersions)
        .set({ state: 'stored', etag })
        .where(and(eq(reportVersions.id, id), eq(reportVersions.state, 'pending')))
        .returning({ version: reportVersions.version })
      if (!found || !row) return false
      const current = tx
        .select({ version: reportVersions.version })
        .from(reportVersions)
        .where(eq(reportVersions.id, sessions.reportVersionId))
      await tx
        .update(sessions)
        .set({ reportVersionId: id, analyzeStateId: State.DONE })
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
