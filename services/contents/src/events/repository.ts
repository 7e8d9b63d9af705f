import {
  cases,
  type Database,
  installation,
  newestRecording,
  ownCase,
  ownCases,
  reportVersions,
  type SessionOfCaller,
  scriptVersions,
  sessionChanges,
  sessions,
  statement,
  videos,
} from '@playtherapy/schema'
import { type Column, type SQL, sql } from 'drizzle-orm'
import { sessionColumns, sessionTables } from '../sessions/repository.ts'
import type { Session } from '../sessions/schemas.ts'
import type { SessionNews } from './schemas.ts'

/** A row of `session_changes`. Without a session it says that the case does not belong to this therapist any more. */
export interface Change {
  /** Its number: changes become visible in the order of their numbers. */
  number: number
  userId: number
  caseId: number
  sessionId: number | null
}

/** How far the changes have come. */
type Position = {
  /**
   * Digits that differ where a number may name another change: in a database that was restored from a backup, of whatever kind,
   * and so after each restart.
   */
  epoch: string
  /** The number of the newest change, 0 if there is none. */
  newest: number
}

/** What a stream needs to begin. */
export interface Beginning extends Position {
  /** The smallest number after which every change is still remembered. */
  oldest: number
  /** Sessions that have changed since, and those whose recording is being uploaded or encoded. */
  changed: { case_id: number; session_id: number }[]
}

type SessionRow = Session & Pick<SessionNews, 'video' | 'script' | 'report'> & { user_id: number }

/** A list of int4 as one parameter, so that one statement is prepared for any number. */
const list = (ids: number[]) => `{${ids.join()}}`

/** An instant as JavaScript writes it. */
const instantText = (column: SQL | Column) =>
  sql`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

/** Reads changes of sessions, and what streams tell of them. `timeZone` decides on which day a moment falls. */
export function newsRepository(db: Database, timeZone: string) {
  const { placeholder } = sql
  const forgotten = sql`(select ${installation.changesForgotten} from ${installation})`
  // A dump comes into another database or table, and a copy of the files into a server that was started anew.
  const position = sql`greatest((select max(id) from ${sessionChanges}), ${forgotten})::float8 as newest,
    (select abs(hashtext(concat_ws(' ', extract(epoch from pg_postmaster_start_time()), oid,
      pg_relation_filenode('session_changes')))::int8)::text from pg_database where datname = current_database()) as epoch`
  const after = statement<{ number: number; user_id: number; case_id: number; session_id: number | null }>(
    db,
    sql`select id::float8 as number, user_id, case_id, session_id from ${sessionChanges}
      where id > ${placeholder('number')}::int8 order by id limit ${placeholder('limit')}`,
  )
  const begin = statement<Position & { oldest: number; changed: Beginning['changed'] | null }>(
    db,
    // Each part ends at its limit, so that nobody's history is read to its end.
    sql`select ${position}, ${forgotten}::float8 as oldest, (
        select json_agg(found) from (
          (select case_id, session_id from ${sessionChanges}
            where user_id = ${placeholder('userId')} and id > ${placeholder('number')}::int8 and session_id is not null
              and ${placeholder('caseId')}::int in (0, case_id)
            order by id limit ${placeholder('limit')})
          union
          (select ${sessions.caseId}, ${sessions.id} from ${videos}
            join ${sessions} on ${sessions.id} = ${videos.sessionId} join ${cases} on ${cases.id} = ${sessions.caseId}
            where ${ownCases(placeholder('userId'))} and ${videos.state} in ('receiving', 'encoding')
              and ${placeholder('caseId')}::int in (0, ${cases.id})
            limit ${placeholder('limit')})
        ) found
      ) as changed`,
  )
  // Each session is read for the therapist who is to be told of it, and is there only if it is this therapist's.
  const read = statement<SessionRow>(
    db,
    sql`select ${sessionColumns(timeZone)}, ${cases.userId}, row_to_json(recording) as video,
        case when ${scriptVersions.id} is not null then json_build_object('version', ${scriptVersions.version},
          'user_id', ${scriptVersions.userId}, 'made_by', coalesce(${scriptVersions.madeBy}, 'therapist'),
          'created_at', ${instantText(scriptVersions.createdAt)}) end as script,
        case when ${reportVersions.id} is not null then json_build_object('version', ${reportVersions.version},
          'created_at', ${instantText(reportVersions.createdAt)}) end as report
      from unnest(${placeholder('userIds')}::int[], ${placeholder('sessionIds')}::int[]) as wanted (user_id, session_id)
      join ${sessionTables} on ${sessions.id} = wanted.session_id
      join ${cases} on ${cases.id} = ${sessions.caseId} and ${ownCases(sql`wanted.user_id`)}
      left join lateral ${newestRecording(sessions.id)} as recording on true`,
  )

  return {
    async position(): Promise<Position> {
      const [row] = await db.execute<Position>(sql`select ${position}`)
      if (!row) throw new Error('the statement gave no row')
      return row
    },

    /** Says that this process has streams: for two minutes progress is notified. */
    async stayAwake(): Promise<void> {
      await db.execute(sql`update ${installation} set streams_seen_at = now()
        where streams_seen_at < now() - interval '30 seconds'`)
    },

    /** Selects changes after this number, in order. */
    async changesAfter(number: number, limit: number): Promise<Change[]> {
      const rows = await after({ number, limit })
      return rows.map((row) => ({
        number: row.number,
        userId: row.user_id,
        caseId: row.case_id,
        sessionId: row.session_id,
      }))
    },

    /** Finds what a stream needs that has seen the changes up to `number`, of all cases of a therapist or of one. */
    async beginning(userId: number, caseId: number | undefined, number: number, limit: number): Promise<Beginning> {
      const [row] = await begin({ userId, caseId: caseId ?? 0, number, limit })
      if (!row) throw new Error('the statement gave no row')
      return { ...row, changed: row.changed ?? [] }
    },

    /** Reads the sessions of these therapists as they now are, in any order; what does not exist or is not theirs is left out. */
    async read(wanted: Pick<SessionOfCaller, 'userId' | 'sessionId'>[]): Promise<(SessionNews & { userId: number })[]> {
      const rows = await read({
        userIds: list(wanted.map(({ userId }) => userId)),
        sessionIds: list(wanted.map(({ sessionId }) => sessionId)),
      })
      return rows.map(({ user_id: userId, video, script, report, ...session }) => ({
        userId,
        case_id: session.case_id,
        session_id: session.id,
        deleted: false,
        session,
        video,
        script,
        report,
      }))
    },

    /** Returns whether this case is this therapist's. */
    async hasCase(userId: number, caseId: number): Promise<boolean> {
      return (await db.$count(cases, ownCase({ userId, caseId }))) > 0
    },
  }
}

export type NewsRepository = ReturnType<typeof newsRepository>
