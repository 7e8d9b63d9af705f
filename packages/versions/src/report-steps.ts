import { inFolder, type Phase, reportPath } from '@playtherapy/object-store'
import { because, type Cause, type Database, reportVersions, State, sessions } from '@playtherapy/schema'
import { and, eq, sql } from 'drizzle-orm'
import type { VersionSteps } from './save-version.ts'

export interface NewReport {
  caseId: number
  sessionId: number
  /** Bytes. */
  size: number
  /** In the order of the report. */
  levels: [category: string, level: number][]
  /** The stored script that was scored; undefined for the newest. */
  scriptVersionId: number | undefined
  /**
   * Id of the report that this one may replace, null for none. If another one is current at commit, because it was
   * delivered meanwhile, that one stays and this one is unwanted. Undefined: it may replace any.
   */
  follows?: number | null
  /** The request that delivers it; left out in the worker. */
  cause?: Cause
}

/**
 * The statements that save a report. The analysis becomes DONE or, if its script is no longer the newest, READY again. The
 * commit locks the session and then the report.
 */
export function reportSteps(
  db: Database,
  phase: Phase,
  { caseId, sessionId, size, levels, scriptVersionId: named, follows, cause }: NewReport,
): VersionSteps {
  const session = and(eq(sessions.id, sessionId), eq(sessions.caseId, caseId))
  return {
    table: reportVersions,
    reserve: () =>
      db.transaction(async (tx) => {
        const [next] = await tx
          .update(sessions)
          .set({ lastReportVersion: sql`${sessions.lastReportVersion} + 1` })
          .where(session)
          .returning({ version: sessions.lastReportVersion, scriptVersionId: sessions.scriptVersionId })
        if (!next) return { kind: 'missing' }
        const { version } = next
        const scriptVersionId = named ?? next.scriptVersionId
        const path = reportPath(phase, caseId, sessionId, version)
        const [row] = await tx
          .insert(reportVersions)
          .values({ sessionId, version, path, size, levels, scriptVersionId })
          .returning({ id: reportVersions.id })
        if (!row) throw new Error('the insert gave no row')
        return { kind: 'reserved', id: row.id, version, key: inFolder('analyze_report', path) }
      }),
    async commit(tx, id, etag) {
      const [locked] = await tx
        .select({ scriptVersionId: sessions.scriptVersionId, currentId: sessions.reportVersionId })
        .from(sessions)
        .where(and(session, because(cause)))
        .for('no key update')
      if (!locked) return { kind: 'missing' }
      if (follows !== undefined && locked.currentId !== follows) return { kind: 'unwanted' }
      const current = sql<number>`coalesce((
        select version from ${reportVersions} as current where current.id = ${locked.currentId}), 0)`
      const [row] = await tx
        .update(reportVersions)
        .set({ state: 'stored', etag })
        .where(and(eq(reportVersions.id, id), eq(reportVersions.state, 'pending')))
        .returning({ version: reportVersions.version, scriptVersionId: reportVersions.scriptVersionId, current })
      if (!row) return { kind: 'missing' }
      // A report that reserved its number later is current already; this one becomes an older version.
      if (row.current > row.version) return { kind: 'stored' }
      const stale = row.scriptVersionId !== null && row.scriptVersionId !== locked.scriptVersionId
      await tx
        .update(sessions)
        .set({ reportVersionId: id, analyzeStateId: stale ? State.READY : State.DONE })
        .where(session)
      return { kind: 'stored' }
    },
  }
}
