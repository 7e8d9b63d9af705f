import {
  announce,
  auditHandover,
  type Database,
  outbox,
  State,
  scriptVersions,
  sessions,
  type Transaction,
} from '@playtherapy/schema'
import { and, eq, inArray, ne, notExists, sql } from 'drizzle-orm'

/** Sessions in one round. */
const batchRows = 100

/** The session of which this is the current script version. It is found by the version, because no index has the sessions' pointers. */
const scoredBy = (db: Pick<Database, 'select'>, scriptVersionId: number) =>
  and(
    inArray(
      sessions.id,
      db.select({ id: scriptVersions.sessionId }).from(scriptVersions).where(eq(scriptVersions.id, scriptVersionId)),
    ),
    eq(sessions.scriptVersionId, scriptVersionId),
  )

/**
 * Announces the analysis of sessions whose current script has neither a report nor a job, not even a dead letter: the
 * script was saved since the last round or before the analyser was configured, or its job was lost. A starter, which is
 * empty, is not analysed. Locks these sessions; returns their number.
 */
export async function announceAnalyses(tx: Transaction): Promise<number> {
  // The conditions are literals, because they must match those of partial indexes.
  const announced = tx
    .select({ id: outbox.id })
    .from(outbox)
    .where(
      sql`${outbox.name} = 'analyse-script'
        and ${outbox.payload} ->> 'script_version_id' = ${sessions.scriptVersionId}::text`,
    )
  const unscored = sql`${sessions.scriptVersionId} is not null and ${sessions.analyzeStateId} <> 3`
  const starter = tx
    .select({ id: scriptVersions.id })
    .from(scriptVersions)
    .where(and(eq(scriptVersions.id, sessions.scriptVersionId), eq(scriptVersions.madeBy, 'starter')))
  const due = await tx
    .select({ id: sessions.id, scriptVersionId: sessions.scriptVersionId })
    .from(sessions)
    .where(and(unscored, notExists(announced), notExists(starter)))
    .orderBy(sessions.id)
    .limit(batchRows)
    .for('no key update', { skipLocked: true })
  for (const { id, scriptVersionId } of due) {
    if (scriptVersionId === null) continue
    await tx.update(sessions).set({ analyzeStateId: State.READY }).where(eq(sessions.id, id))
    await announce(tx, 'analyse-script', { script_version_id: scriptVersionId })
  }
  return due.length
}

/**
 * Begins the analysis of a script version, and tells the audit trail that it is handed to the analyser; undefined when it is done, or the
 * version is no longer current.
 */
export const claimAnalysis = (db: Database, scriptVersionId: number) =>
  db.transaction(async (tx) => {
    const [session] = await tx
      .update(sessions)
      .set({ analyzeStateId: State.START })
      .where(and(scoredBy(tx, scriptVersionId), ne(sessions.analyzeStateId, State.DONE)))
      .returning({ sessionId: sessions.id, caseId: sessions.caseId, follows: sessions.reportVersionId })
    if (!session) return undefined
    const [script] = await tx
      .select({
        path: scriptVersions.path,
        version: scriptVersions.version,
        etag: scriptVersions.etag,
        size: scriptVersions.size,
        checksum: scriptVersions.checksum,
      })
      .from(scriptVersions)
      .where(eq(scriptVersions.id, scriptVersionId))
    if (!script) return undefined
    await auditHandover(tx, { ...session, kind: 'script', version: script.version })
    return { ...session, ...script }
  })

/**
 * Ends an analysis without a report: with ERROR if it failed, otherwise with the state of an installation without an
 * analyser. False when the analysis is no longer awaited.
 */
export async function endAnalysis(db: Database, scriptVersionId: number, how: 'failed' | 'off'): Promise<boolean> {
  const before = sql`case when ${sessions.reportVersionId} is null then ${State.NONE} else ${State.READY} end::smallint`
  const ended = await db
    .update(sessions)
    .set({ analyzeStateId: how === 'failed' ? State.ERROR : before })
    .where(and(scoredBy(db, scriptVersionId), inArray(sessions.analyzeStateId, [State.READY, State.START])))
    .returning({ id: sessions.id })
  return ended.length > 0
}
