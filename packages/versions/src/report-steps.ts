import { inFolder, type Phase, reportPath } from '@playtherapy/object-store'
import { type Database, reportVersions, State, sessions } from '@playtherapy/schema'
import { and, eq, sql } from 'drizzle-orm'
import { StaleVersionError } from './errors.ts'
import type { VersionSteps } from './save-version.ts'

export interface NewReport {
  caseId: number
  sessionId: number
  /** Bytes. */
  size: number
  /** Level of each category, in the order of the report. */
  levels: [category: string, level: number][]
  /** The stored script it was scored from; undefined for the newest. */
  scriptVersionId: number | undefined
  /**
   * The version that counted when this report was asked for, null for none: should another count by then, as one that
   * somebody delivered meanwhile, it is left in place. Undefined: it may follow any.
   */
  follows?: number | null
}

/**
 * How a new report version of a session is recorded. The analysis is DONE with it, unless its script is no longer the
 * newest: then it is due again. Throws StaleVersionError when it may not follow what counts.
 */
export function reportSteps(
  db: Database,
  phase: Phase,
  { caseId, sessionId, size, levels, scriptVersionId: named, follows }: NewReport,
): VersionSteps {
  const session = and(eq(sessions.id, sessionId), eq(sessions.caseId, caseId))
  return {
    reserve: () =>
      db.transaction(async (tx) => {
        const [next] = await tx
          .update(sessions)
          .set({ lastReportVersion: sql`${sessions.lastReportVersion} + 1` })
          .where(session)
          .returning({ version: sessions.lastReportVersion, scriptVersionId: sessions.scriptVersionId })
        if (!next) return undefined
        const { version } = next
        const scriptVersionId = named ?? next.scriptVersionId
        const path = reportPath(phase, caseId, sessionId, version)
        const [row] = await tx
          .insert(reportVersions)
          .values({ sessionId, version, path, size, levels, scriptVersionId })
          .returning({ id: reportVersions.id })
        return row && { id: row.id, version, key: inFolder('analyze_report', path) }
      }),
    async commit(tx, id, etag) {
      const current = tx
        .select({ version: reportVersions.version })
        .from(reportVersions)
        .where(eq(reportVersions.id, sessions.reportVersionId))
      const [found] = await tx
        .select({
          scriptVersionId: sessions.scriptVersionId,
          currentId: sessions.reportVersionId,
          version: sql<number>`coalesce((${current}), 0)`,
        })
        .from(sessions)
        .where(session)
        .for('no key update')
      const [row] = await tx
        .update(reportVersions)
        .set({ state: 'stored', etag })
        .where(and(eq(reportVersions.id, id), eq(reportVersions.state, 'pending')))
        .returning({ version: reportVersions.version, scriptVersionId: reportVersions.scriptVersionId })
      if (!found || !row) return false
      if (follows !== undefined && found.currentId !== follows) throw new StaleVersionError(found.version)
      if (found.version > row.version) return true
      const stale = row.scriptVersionId !== null && row.scriptVersionId !== found.scriptVersionId
      await tx
        .update(sessions)
        .set({ reportVersionId: id, analyzeStateId: stale ? State.READY : State.DONE })
        .where(session)
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
