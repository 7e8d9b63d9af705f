import { announce, type Database, outbox, State, scriptVersions, sessions } from '@playtherapy/schema'
import { and, eq, inArray, isNotNull, ne, notExists, sql } from 'drizzle-orm'

/** Any constant; whoever holds it is the one that announces. */
const lockId = 20_261_125
/** Sessions announced in one round. */
const batch = 100

/** The session for which this script version counts. */
const scoredBy = (scriptVersionId: number) => eq(sessions.scriptVersionId, scriptVersionId)

/**
 * Announces the analysis of every session whose newest script has no report and no such job, given up or not: a script
 * saved since, one saved before the analyser was configured, one whose job was lost. Answers how many there were.
 */
export const announceAnalyses = (db: Database): Promise<number> =>
  db.transaction(async (tx) => {
    const [lock] = await tx.execute<{ held: boolean }>(sql`select pg_try_advisory_xact_lock(${lockId}) as held`)
    if (!lock?.held) return 0
    const jobs = tx
      .select({ id: outbox.id })
      .from(outbox)
      .where(
        and(
          eq(outbox.name, 'analyse-script'),
          sql`(${outbox.payload} ->> 'script_version_id')::int = ${sessions.scriptVersionId}`,
        ),
      )
    const due = await tx
      .select({ id: sessions.id, scriptVersionId: sessions.scriptVersionId })
      .from(sessions)
      .where(and(isNotNull(sessions.scriptVersionId), ne(sessions.analyzeStateId, State.DONE), notExists(jobs)))
      .orderBy(sessions.id)
      .limit(batch)
      .for('no key update', { skipLocked: true })
    for (const { id, scriptVersionId } of due) {
      if (scriptVersionId === null) continue
      await tx.update(sessions).set({ analyzeStateId: State.READY }).where(eq(sessions.id, id))
      await announce(tx, 'analyse-script', { script_version_id: scriptVersionId })
    }
    return due.length
  })

/** Begins the analysis of a script version; undefined when it is done, no longer the newest, or gone. */
export const claimAnalysis = (db: Database, scriptVersionId: number) =>
  db.transaction(async (tx) => {
    const [session] = await tx
      .update(sessions)
      .set({ analyzeStateId: State.START })
      .where(and(scoredBy(scriptVersionId), ne(sessions.analyzeStateId, State.DONE)))
      .returning({ sessionId: sessions.id, caseId: sessions.caseId, follows: sessions.reportVersionId })
    if (!session) return undefined
    const [script] = await tx
      .select({ path: scriptVersions.path, etag: scriptVersions.etag, size: scriptVersions.size })
      .from(scriptVersions)
      .where(eq(scriptVersions.id, scriptVersionId))
    return script && { ...session, ...script }
  })

/**
 * Ends an analysis without a report: ERROR, or as it was before there was an analyser. False when nobody waits for it
 * any more.
 */
export async function endAnalysis(db: Database, scriptVersionId: number, how: 'failed' | 'off'): Promise<boolean> {
  const before = sql`case when ${sessions.reportVersionId} is null then ${State.NONE} else ${State.READY} end::smallint`
  const ended = await db
    .update(sessions)
    .set({ analyzeStateId: how === 'failed' ? State.ERROR : before })
    .where(and(scoredBy(scriptVersionId), inArray(sessions.analyzeStateId, [State.READY, State.START])))
    .returning({ id: sessions.id })
  return ended.length > 0
}
