import { inFolder, type Phase, scriptPath } from '@playtherapy/object-store'
import {
  cases,
  type Database,
  type ScriptWarning,
  State,
  scriptVersions,
  sessions,
  type Transaction,
} from '@playtherapy/schema'
import { and, eq, exists, sql } from 'drizzle-orm'
import { StaleVersionError, UnchangedError } from './errors.ts'
import type { VersionSteps } from './save-version.ts'

export interface NewScript {
  /** Bytes. */
  size: number
  /** SHA-256 of the bytes, in hex. */
  checksum: string
  warnings: ScriptWarning[]
  /** Whether it may follow the version that counts, 0 for none; asked again before the new one counts itself. */
  mayFollow(current: number): boolean
}

/**
 * How a new script version of a therapist's session is recorded. A report made from an older script is due again. Both
 * transactions lock the session first, so of two saves that may follow the same version only one does. They throw
 * StaleVersionError, and UnchangedError when the version that counts has the same bytes.
 */
export function scriptSteps(
  db: Database,
  phase: Phase,
  { userId, caseId, sessionId }: { userId: number; caseId: number; sessionId: number },
  { size, checksum, warnings, mayFollow }: NewScript,
): VersionSteps {
  const ownCase = db
    .select({ id: cases.id })
    .from(cases)
    .where(and(eq(cases.id, caseId), eq(cases.userId, userId)))
  const session = and(eq(sessions.id, sessionId), eq(sessions.caseId, caseId), exists(ownCase))

  async function checkCurrent(tx: Transaction, currentId: number | null): Promise<number> {
    const [current] = await tx
      .select({ version: scriptVersions.version, checksum: scriptVersions.checksum })
      .from(scriptVersions)
      .where(eq(scriptVersions.id, currentId ?? 0))
    const version = current?.version ?? 0
    if (!mayFollow(version)) throw new StaleVersionError(version)
    if (current?.checksum === checksum) throw new UnchangedError(version)
    return version
  }

  return {
    async reserve(tx) {
      const [next] = await tx
        .update(sessions)
        .set({ lastScriptVersion: sql`${sessions.lastScriptVersion} + 1` })
        .where(session)
        .returning({ version: sessions.lastScriptVersion, currentId: sessions.scriptVersionId })
      if (!next) return undefined
      const { version, currentId } = next
      await checkCurrent(tx, currentId)
      const path = scriptPath(phase, caseId, sessionId, version)
      const [row] = await tx
        .insert(scriptVersions)
        .values({ sessionId, version, path, size, checksum, userId, warnings })
        .returning({ id: scriptVersions.id })
      return row && { id: row.id, version, key: inFolder('script', path) }
    },
    async commit(tx, id, etag) {
      // The session first, as a deletion locks it: the other order could deadlock with it.
      const [found] = await tx
        .select({ currentId: sessions.scriptVersionId })
        .from(sessions)
        .where(session)
        .for('no key update')
      const [row] = await tx
        .update(scriptVersions)
        .set({ state: 'stored', etag })
        .where(and(eq(scriptVersions.id, id), eq(scriptVersions.state, 'pending')))
        .returning({ version: scriptVersions.version })
      if (!found || !row) return false
      if ((await checkCurrent(tx, found.currentId)) > row.version) return true
      await tx
        .update(sessions)
        .set({
          scriptVersionId: id,
          scriptStateId: State.DONE,
          analyzeStateId: sql`case when ${sessions.reportVersionId} is null
            then ${sessions.analyzeStateId} else ${State.READY} end`,
        })
        .where(session)
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
