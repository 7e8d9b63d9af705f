import { inFolder, type Phase, scriptPath } from '@playtherapy/object-store'
import {
  because,
  type Cause,
  type Database,
  ownSession,
  type ScriptMaker,
  type ScriptWarning,
  type SessionOfCaller,
  State,
  scriptVersions,
  sessions,
} from '@playtherapy/schema'
import { and, eq, sql } from 'drizzle-orm'
import type { VersionSteps } from './save-version.ts'

export interface NewScript {
  /** Bytes. */
  size: number
  /** SHA-256 of the bytes, in hex. */
  checksum: string
  warnings: ScriptWarning[]
  /** What in the worker made it; left out for a therapist. */
  madeBy?: ScriptMaker
  /**
   * May this save replace version `current` (0 = none)? Called when the number is reserved and, if another version has
   * become current since, again at commit, under the session's lock. A save that may follow none may also follow a
   * `starter`, which is nobody's work.
   */
  mayFollow(current: number): boolean
}

/** The current version of a session's script; for none its number is 0 and the rest null. */
interface CurrentScript extends Record<string, unknown> {
  id: number | null
  version: number
  /** SHA-256, in hex. */
  checksum: string | null
  made_by: ScriptMaker | null
}

/** The script of a session before a save. */
export interface ScriptStanding extends CurrentScript {
  /** `HH:MM:SS`; null while it is not known. */
  video_length: string | null
  /** The last reserved number. */
  last_version: number
}

/** Reads the standing of a session; undefined when it does not exist. */
export async function scriptStanding(db: Database, owner: SessionOfCaller): Promise<ScriptStanding | undefined> {
  const [standing] = await db.execute<ScriptStanding>(sql`
    select ${sessions.scriptVersionId} as id, coalesce(${scriptVersions.version}, 0) as version,
      ${scriptVersions.checksum}, ${scriptVersions.madeBy}, ${sessions.videoLength}, ${sessions.lastScriptVersion} as last_version
    from ${sessions} left join ${scriptVersions} on ${scriptVersions.id} = ${sessions.scriptVersionId}
    where ${ownSession(owner)}`)
  return standing
}

/**
 * The statements that save a script of a therapist's session. A report of an older script becomes due again. Of two saves
 * that may replace the same version, only one does. `standing` may be minutes old: it saves a statement while it is right,
 * and never causes a refusal. The commit locks the session and then the version.
 */
export function scriptSteps(
  db: Database,
  phase: Phase,
  owner: SessionOfCaller & { cause?: Cause },
  { size, checksum, warnings, madeBy, mayFollow }: NewScript,
  standing?: ScriptStanding,
): VersionSteps {
  const { userId, caseId, sessionId } = owner
  const session = ownSession(owner)
  /** The last version that this save was found to be allowed to replace. */
  let replaced: CurrentScript | undefined

  const objectionTo = ({ version, checksum: current, made_by }: CurrentScript) => {
    if (!mayFollow(version) && !(made_by === 'starter' && mayFollow(0)))
      return { kind: 'stale', current: version } as const
    return current === checksum ? ({ kind: 'unchanged', version } as const) : undefined
  }

  /** Reserves the number after the last one, in one statement; undefined if another save has reserved it. */
  async function reserveNext(found: ScriptStanding) {
    const version = found.last_version + 1
    const path = scriptPath(phase, caseId, sessionId, version)
    const [row] = await db.execute<{ id: number }>(sql`
      with next as (
        update ${sessions} set last_script_version = ${version}
        where ${session} and ${sessions.lastScriptVersion} = ${version - 1}
        returning id
      )
      insert into ${scriptVersions} (session_id, version, path, size, checksum, user_id, made_by, warnings)
      select id, ${version}::int, ${path}::text, ${size}::bigint, ${checksum}::text, ${userId}::int,
        ${madeBy ?? null}::text, ${JSON.stringify(warnings)}::jsonb
      from next
      returning id`)
    if (!row) return undefined
    replaced = found
    return { kind: 'reserved', id: row.id, version, key: inFolder('script', path) } as const
  }

  return {
    table: scriptVersions,
    async reserve() {
      const early = standing && !objectionTo(standing) && (await reserveNext(standing))
      if (early) return early
      for (;;) {
        const found = await scriptStanding(db, owner)
        if (!found) return { kind: 'missing' }
        const outcome = objectionTo(found) ?? (await reserveNext(found))
        if (outcome) return outcome
      }
    },
    async commit(tx, id, etag) {
      const [locked] = await tx
        .select({ currentId: sessions.scriptVersionId })
        .from(sessions)
        .where(and(session, because(owner.cause)))
        .for('no key update')
      if (!locked) return { kind: 'missing' }
      if (locked.currentId !== replaced?.id) {
        // A separate statement, so that it sees commits that the lock waited for.
        const [current = { id: null, version: 0, checksum: null, made_by: null }] = await tx
          .select({
            id: scriptVersions.id,
            version: scriptVersions.version,
            checksum: scriptVersions.checksum,
            made_by: scriptVersions.madeBy,
          })
          .from(scriptVersions)
          .where(eq(scriptVersions.id, locked.currentId ?? 0))
        const objection = objectionTo(current)
        // Nothing was changed, unless an earlier attempt of this commit has done it.
        if (objection && owner.cause && current.id !== id) owner.cause.isNamed = false
        if (objection) return objection
        replaced = current
      }
      const [row] = await tx
        .update(scriptVersions)
        .set({ state: 'stored', etag })
        .where(and(eq(scriptVersions.id, id), eq(scriptVersions.state, 'pending')))
        .returning({ version: scriptVersions.version })
      if (!row) return { kind: 'missing' }
      // A save that reserved its number later is current already; this one becomes an older version.
      if (replaced.version > row.version) return { kind: 'stored' }
      await tx
        .update(sessions)
        .set({
          scriptVersionId: id,
          scriptStateId: State.DONE,
          analyzeStateId: sql`case when ${sessions.reportVersionId} is null
            then ${sessions.analyzeStateId} else ${State.READY} end`,
        })
        .where(session)
      return { kind: 'stored' }
    },
  }
}
