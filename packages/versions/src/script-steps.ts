import { inFolder, type Phase, scriptPath } from '@playtherapy/object-store'
import {
  type Database,
  ownSession,
  type ScriptWarning,
  type SessionOfCaller,
  State,
  scriptVersions,
  sessions,
} from '@playtherapy/schema'
import { and, eq, sql } from 'drizzle-orm'
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

/** What a session has before a save. */
export interface ScriptStanding extends Record<string, unknown> {
  /** `HH:MM:SS`; null while it is not known. */
  video_length: string | null
  /** The number that was given out last. */
  last_version: number
  /** The version that counts, 0 for none, and its SHA-256. */
  version: number
  checksum: string | null
}

/** What the session has now; undefined when it is gone. */
export async function scriptStanding(db: Database, owner: SessionOfCaller): Promise<ScriptStanding | undefined> {
  const [standing] = await db.execute<ScriptStanding>(sql`
    select ${sessions.videoLength}, ${sessions.lastScriptVersion} as last_version,
      coalesce(${scriptVersions.version}, 0) as version, ${scriptVersions.checksum}
    from ${sessions} left join ${scriptVersions} on ${scriptVersions.id} = ${sessions.scriptVersionId}
    where ${ownSession(owner)}`)
  return standing
}

/**
 * How a new script version of a therapist's session is recorded. A report made from an older script is due again. Of two
 * saves that may follow the same version only one does: the commit locks the session and looks once more. Both steps
 * throw StaleVersionError, and UnchangedError when the version that counts has the same bytes. `standing` is what the
 * session had when somebody asked, which may be minutes ago.
 */
export function scriptSteps(
  db: Database,
  phase: Phase,
  owner: SessionOfCaller,
  { size, checksum, warnings, mayFollow }: NewScript,
  standing?: ScriptStanding,
): VersionSteps {
  const { userId, caseId, sessionId } = owner
  const session = ownSession(owner)

  function objectionTo(current: Pick<ScriptStanding, 'version' | 'checksum'>): Error | undefined {
    if (!mayFollow(current.version)) return new StaleVersionError(current.version)
    return current.checksum === checksum ? new UnchangedError(current.version) : undefined
  }
  let known = standing

  return {
    async reserve() {
      for (;;) {
        const isOld = known !== undefined
        const now = known ?? (await scriptStanding(db, owner))
        known = undefined
        if (!now) return undefined
        const objection = objectionTo(now)
        // Another version may count since.
        if (objection && isOld) continue
        if (objection) throw objection
        const version = now.last_version + 1
        const path = scriptPath(phase, caseId, sessionId, version)
        // One statement, and none of it if somebody else took the number.
        const [row] = await db.execute<{ id: number }>(sql`
          with next as (
            update ${sessions} set last_script_version = ${version}
            where ${session} and ${sessions.lastScriptVersion} = ${version - 1}
            returning id
          )
          insert into ${scriptVersions} (session_id, version, path, size, checksum, user_id, warnings)
          select id, ${version}::int, ${path}::text, ${size}::bigint, ${checksum}::text, ${userId}::int,
            ${JSON.stringify(warnings)}::jsonb
          from next
          returning id`)
        if (row) return { id: row.id, version, key: inFolder('script', path) }
      }
    },
    async commit(tx, id, etag) {
      // The session first, as a deletion locks it: the other order could deadlock with it.
      const [found] = await tx
        .select({ currentId: sessions.scriptVersionId })
        .from(sessions)
        .where(session)
        .for('no key update')
      if (!found) return false
      const [row] = await tx.execute<{ own: number } & Pick<ScriptStanding, 'version' | 'checksum'>>(sql`
        with stored as (
          update ${scriptVersions} set state = 'stored', etag = ${etag}
          where ${scriptVersions.id} = ${id} and ${scriptVersions.state} = 'pending'
          returning version
        )
        select stored.version as own, coalesce(${scriptVersions.version}, 0) as version, ${scriptVersions.checksum}
        from stored left join ${scriptVersions} on ${scriptVersions.id} = ${found.currentId}`)
      if (!row) return false
      const objection = objectionTo(row)
      if (objection) throw objection
      if (row.version > row.own) return true
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
