import type { VersionSteps } from '@playtherapy/intake'
import { inFolder, type Phase, scriptPath } from '@playtherapy/object-store'
import { type Database, type ScriptWarning, State, scriptVersions, sessions } from '@playtherapy/schema'
import { ownSession, type SessionOfCaller } from '@playtherapy/service-kit'
import { and, eq, sql } from 'drizzle-orm'

/** The newest stored script of the caller's session, if there is one. */
export async function currentScript(db: Database, caller: SessionOfCaller) {
  const [script] = await db
    .select({ path: scriptVersions.path, size: scriptVersions.size, etag: scriptVersions.etag })
    .from(sessions)
    .innerJoin(scriptVersions, eq(scriptVersions.id, sessions.scriptVersionId))
    .where(ownSession(db, caller))
  return script
}

export interface NewScript {
  /** Bytes. */
  size: number
  warnings: ScriptWarning[]
}

/** How a new script version of the caller's session is recorded. A report made from an older script is due again. */
export function scriptSteps(
  db: Database,
  phase: Phase,
  caller: SessionOfCaller,
  { size, warnings }: NewScript,
): VersionSteps {
  const { userId, caseId, sessionId } = caller
  const session = ownSession(db, caller)
  return {
    async reserve(tx) {
      const [next] = await tx
        .update(sessions)
        .set({ lastScriptVersion: sql`${sessions.lastScriptVersion} + 1` })
        .where(session)
        .returning({ version: sessions.lastScriptVersion })
      if (!next) return undefined
      const { version } = next
      const path = scriptPath(phase, caseId, sessionId, version)
      const [row] = await tx
        .insert(scriptVersions)
        .values({ sessionId, version, path, size, userId, warnings })
        .returning({ id: scriptVersions.id })
      return row && { id: row.id, version, key: inFolder('script', path) }
    },
    async commit(tx, id, etag) {
      // The session first, as a deletion locks it: the other order could deadlock with it.
      const [found] = await tx.select({ id: sessions.id }).from(sessions).where(session).for('no key update')
      const [row] = await tx
        .update(scriptVersions)
        .set({ state: 'stored', etag })
        .where(and(eq(scriptVersions.id, id), eq(scriptVersions.state, 'pending')))
        .returning({ version: scriptVersions.version })
      if (!found || !row) return false
      const current = tx
        .select({ version: scriptVersions.version })
        .from(scriptVersions)
        .where(eq(scriptVersions.id, sessions.scriptVersionId))
      await tx
        .update(sessions)
        .set({
          scriptVersionId: id,
          scriptStateId: State.DONE,
          analyzeStateId: sql`case when ${sessions.reportVersionId} is null
            then ${sessions.analyzeStateId} else ${State.READY} end`,
        })
        .where(and(session, sql`coalesce((${current}), 0) < ${row.version}`))
      return true
    },
    async isStored(id) {
      const stored = and(eq(scriptVersions.id, id), eq(scriptVersions.state, 'stored'))
      return (await db.select({ id: scriptVersions.id }).from(scriptVersions).where(stored)).length > 0
    },
    release: (id) =>
      db.delete(scriptVersions).where(and(eq(scriptVersions.id, id), eq(scriptVersions.state, 'pending'))),
  }
}
