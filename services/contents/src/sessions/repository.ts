import {
  type CaseOfCaller,
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
import { sql } from 'drizzle-orm'
import { bury, erase } from '../erasure.ts'
import { type KeyedRequest, makeOnce } from '../idempotency.ts'
import type { Range } from '../paging.ts'
import { ask } from '../search.ts'
import type { Session } from './schemas.ts'

/** The statements about sessions, each through a case of one therapist. `timeZone` decides which day a moment is. */
export function sessionRepository(db: Database, timeZone: string) {
  const columns = sql`
    ${sessions.id}, ${sessions.name}, ${sessions.sessionStateId}, ${sessions.caseId}, null as source_video_url,
    ${scriptVersions.path} as source_script_url, ${sessions.encodingStateId}, ${sessions.scriptStateId},
    ${sessions.analyzeStateId},
    to_char(${sessions.createdAt} at time zone ${timeZone}, 'YYYY-MM-DD') as created_date,
    ${sessions.videoLength}, ${videos.path} as origin_video_url, ${renditions.path} as encoding_video_url,
    ${reportVersions.path} as analyze_url`
  const from = sql`${sessions}
    left join ${videos} on ${videos.id} = ${sessions.videoId}
    left join ${renditions} on ${renditions.id} = ${sessions.renditionId}
    left join ${scriptVersions} on ${scriptVersions.id} = ${sessions.scriptVersionId}
    left join ${reportVersions} on ${reportVersions.id} = ${sessions.reportVersionId}`

  const { placeholder } = sql
  const own = ownSessions({ userId: placeholder('userId'), caseId: placeholder('caseId') })
  const statements = (more = sql``) => ({
    list: statement<Session>(
      db,
      sql`select ${columns} from ${from} where ${own} ${more} and ${sessions.id} < ${placeholder('before')}::int8
        order by ${sessions.id} desc offset ${placeholder('offset')} limit ${placeholder('limit')}`,
    ),
    count: statement<{ count: number }>(db, sql`select count(*)::int as count from ${sessions} where ${own} ${more}`),
  })
  const holdsKeyword = sql`and strpos(search_fold(${sessions.name}), search_fold(${placeholder('keyword')})) > 0`
  const of = { all: statements(), found: statements(holdsKeyword) }

  return {
    list({ userId, caseId }: CaseOfCaller, keyword: string | undefined, range: Range): Promise<Session[]> {
      return ask(db, { userId, keyword }, of, ({ list }, keyword, pool) =>
        list({ userId, caseId, keyword, ...range }, pool),
      )
    },

    async count({ userId, caseId }: CaseOfCaller, keyword: string | undefined): Promise<number> {
      const [row] = await ask(db, { userId, keyword }, of, ({ count }, keyword, pool) =>
        count({ userId, caseId, keyword }, pool),
      )
      return row?.count ?? 0
    },

    async get(caller: SessionOfCaller): Promise<Session | undefined> {
      const [row] = await db.execute<Session>(sql`select ${columns} from ${from} where ${ownSession(caller)}`)
      return row
    },

    /** The new id, or that of the session which the same request has made before; undefined when the case was deleted. */
    create(
      { userId, caseId }: CaseOfCaller,
      name: string,
      videoLength: string | null,
      request: KeyedRequest | undefined,
    ): Promise<number | undefined> {
      return makeOnce(db, { userId, request, kind: 'session' }, async (on) => {
        // The lock makes a deletion of the case wait, or this statement find none.
        const [row] = await on.execute<{ id: number }>(sql`
          insert into ${sessions} (case_id, name, video_length)
          select ${cases.id}, ${name}, ${videoLength} from ${cases}
          where ${ownCase({ userId, caseId })} for key share
          returning ${sessions.id}`)
        return row?.id
      })
    },

    /** Sets the name, and the length unless it is null; whether the session was there. */
    async update(tx: Transaction, caller: SessionOfCaller, name: string, videoLength: string | null): Promise<boolean> {
      const rows = await tx
        .update(sessions)
        .set({ name, ...(videoLength !== null && { videoLength }) })
        .where(ownSession(caller))
        .returning({ id: sessions.id })
      return rows.length > 0
    },

    /** Removes the session with everything below it, and announces that its objects go too. Whether it was there. */
    delete: (caller: SessionOfCaller, requestId: string): Promise<boolean> =>
      erase(db, caller.userId, async (tx) => {
        const rows = await tx.delete(sessions).where(ownSession(caller)).returning({ id: sessions.id })
        if (rows.length === 0) return false
        await bury(tx, { caseId: caller.caseId, sessionId: caller.sessionId, requestId })
        return true
      }),
  }
}
