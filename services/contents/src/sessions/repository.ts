import {
  announceErasure,
  because,
  type CaseOfCaller,
  type Cause,
  cases,
  type Database,
  ownCase,
  ownSession,
  ownSessions,
  renditions,
  reportVersions,
  type SessionOfCaller,
  scriptVersions,
  sessions,
  statement,
  type Transaction,
  videos,
} from '@playtherapy/schema'
import { and, type SQL, sql } from 'drizzle-orm'
import { runDeletion } from '../deletion.ts'
import { createOnce, type KeyedRequest } from '../idempotency.ts'
import type { Range } from '../paging.ts'
import { withKeyword } from '../search.ts'
import type { Session } from './schemas.ts'

/** A session, and the request of its therapist. */
type Caller = SessionOfCaller & { cause: Cause }

/** The columns of `Session`, of `sessionTables`. `timeZone` decides on which day a moment falls. */
export const sessionColumns = (timeZone: string): SQL => sql`
    ${sessions.id}, ${sessions.name}, ${sessions.sessionStateId}, ${sessions.caseId}, null as source_video_url,
    ${scriptVersions.path} as source_script_url, ${sessions.encodingStateId}, ${sessions.scriptStateId},
    ${sessions.analyzeStateId},
    to_char(${sessions.createdAt} at time zone ${timeZone}, 'YYYY-MM-DD') as created_date,
    ${sessions.videoLength}, ${videos.path} as origin_video_url, ${renditions.path} as encoding_video_url,
    ${reportVersions.path} as analyze_url`

/** The session with what its pointers name. */
export const sessionTables = sql`${sessions}
    left join ${videos} on ${videos.id} = ${sessions.videoId}
    left join ${renditions} on ${renditions.id} = ${sessions.renditionId}
    left join ${scriptVersions} on ${scriptVersions.id} = ${sessions.scriptVersionId}
    left join ${reportVersions} on ${reportVersions.id} = ${sessions.reportVersionId}`

/** Reads and writes sessions of one therapist's case. `timeZone` decides on which day a moment falls. */
export function sessionRepository(db: Database, timeZone: string) {
  const columns = sessionColumns(timeZone)
  const { placeholder } = sql
  const own = ownSessions({ userId: placeholder('userId'), caseId: placeholder('caseId') })
  const statements = (filter = sql``) => ({
    list: statement<Session>(
      db,
      sql`select ${columns} from ${sessionTables} where ${own} ${filter} and ${sessions.id} < ${placeholder('before')}::int8
        order by ${sessions.id} desc offset ${placeholder('offset')} limit ${placeholder('limit')}`,
    ),
    count: statement<{ count: number }>(db, sql`select count(*)::int as count from ${sessions} where ${own} ${filter}`),
  })
  const holdsKeyword = sql`and strpos(search_fold(${sessions.name}), trim(search_fold(${placeholder('keyword')}))) > 0`
  const searchable = { all: statements(), found: statements(holdsKeyword) }

  return {
    list({ userId, caseId }: CaseOfCaller, keyword: string | undefined, range: Range): Promise<Session[]> {
      return withKeyword(db, { userId, keyword }, searchable, ({ list }, keyword, pool) =>
        list({ userId, caseId, keyword, ...range }, pool),
      )
    },

    async count({ userId, caseId }: CaseOfCaller, keyword: string | undefined): Promise<number> {
      const [row] = await withKeyword(db, { userId, keyword }, searchable, ({ count }, keyword, pool) =>
        count({ userId, caseId, keyword }, pool),
      )
      return row?.count ?? 0
    },

    async get(caller: SessionOfCaller): Promise<Session | undefined> {
      const [row] = await db.execute<Session>(sql`select ${columns} from ${sessionTables} where ${ownSession(caller)}`)
      return row
    },

    /** Returns the id of the new session, or of that which this request created before; undefined without a case. */
    create(
      { userId, caseId, cause }: CaseOfCaller & { cause: Cause },
      name: string,
      videoLength: string | null,
      request: KeyedRequest | undefined,
    ): Promise<number | undefined> {
      return createOnce(db, { userId, request, kind: 'session', cause }, async (on) => {
        // The lock makes a concurrent deletion of the case wait, or this statement find no case.
        const [row] = await on.execute<{ id: number }>(sql`
          insert into ${sessions} (case_id, name, video_length, video_length_set_for)
          select ${cases.id}, ${name}, ${videoLength}::text, case when ${videoLength}::text is not null then 0 end
          from ${cases}
          where ${ownCase({ userId, caseId })} and ${because(cause)} for key share
          returning ${sessions.id}`)
        return row?.id
      })
    },

    /**
     * Sets the name, and the length for the current recording and the next one. A length that is null, or that the client
     * only sends back as it read it, sets none. Returns whether the session exists.
     */
    async update(tx: Transaction, caller: Caller, name: string, videoLength: string | null): Promise<boolean> {
      const set = sql`${videoLength}::text is not null
        and ${videoLength}::text is distinct from ${sessions.videoLength}
        and ${videoLength}::text is distinct from ${sessions.previousVideoLength}`
      const rows = await tx
        .update(sessions)
        .set({
          name,
          videoLength: sql`case when ${set} then ${videoLength}::text else ${sessions.videoLength} end`,
          videoLengthSetFor: sql`case when ${set} then 0 else ${sessions.videoLengthSetFor} end`,
          previousVideoLength: sql`case when ${set} then null else ${sessions.previousVideoLength} end`,
        })
        .where(and(ownSession(caller), because(caller.cause)))
        .returning({ id: sessions.id })
      return rows.length > 0
    },

    /**
     * Deletes the session and all rows below it, and announces the erasure of its objects. Returns the public id of the
     * erasure; undefined if there was no such session.
     */
    delete: (caller: Caller): Promise<string | undefined> =>
      runDeletion(db, caller.userId, async (tx) => {
        const { userId, caseId, sessionId, cause } = caller
        const rows = await tx
          .delete(sessions)
          .where(and(ownSession(caller), because(cause)))
          .returning({ id: sessions.id })
        if (rows.length === 0) return undefined
        const { auditId: requestId } = cause
        return announceErasure(tx, { userId, caseId, sessionId, videoId: null, requestId })
      }),
  }
}
