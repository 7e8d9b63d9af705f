import {
  announceErasure,
  because,
  type CaseOfCaller,
  type Cause,
  cases,
  type Database,
  ownCase,
  ownCases,
  sessions,
  statement,
} from '@playtherapy/schema'
import { and, sql } from 'drizzle-orm'
import { runDeletion } from '../deletion.ts'
import { createOnce, type KeyedRequest } from '../idempotency.ts'
import type { Range } from '../paging.ts'
import { withKeyword } from '../search.ts'
import type { Case } from './schemas.ts'

export interface NewCase {
  givenName: string
  familyName: string | null
  description: Record<string, unknown>
  /** Undefined keeps the state; in a new case it means 1. */
  caseStateId: number | undefined
}

/** A therapist who makes a request for all cases, or for one. */
interface Caller {
  userId: number
  cause: Cause
}
type CallerOfCase = CaseOfCaller & Caller

type Row = Omit<Case, 'description'> & { description: Record<string, unknown> }

/** Changes the driver's objects in place: copying them would cost more than all else that Node does for a list. */
const toCase = (row: Row): Case =>
  Object.assign(row, {
    description: Object.assign(row.description, {
      age: row.description.age ?? null,
      gender: row.description.gender ?? '',
    }),
  })

/** Reads and writes cases, each call those of one therapist. `timeZone` decides on which day a moment falls. */
export function caseRepository(db: Database, timeZone: string) {
  const day = (moment: typeof cases.createdAt | typeof cases.updatedAt) =>
    sql`to_char(${moment} at time zone ${timeZone}, 'YYYY-MM-DD')`
  /** Selects from any table named `cases`: a list passes one page, so that no other case's sessions are counted. */
  const columns = sql`
    ${cases.id}, ${cases.givenName}, ${cases.familyName}, ${cases.description}, ${cases.userId},
    (select count(*)::int from ${sessions} where ${sessions.caseId} = ${cases.id}) as session_count,
    ${day(cases.createdAt)} as start_date, ${day(cases.updatedAt)} as updated_date, ${cases.caseStateId}`

  const { placeholder } = sql
  const own = ownCases(placeholder('userId'))
  const statements = (filter = sql``) => ({
    list: statement<Row>(
      db,
      sql`select ${columns}
        from (
          select * from ${cases} where ${own} ${filter} and ${cases.id} < ${placeholder('before')}::int8
          order by ${cases.id} desc offset ${placeholder('offset')} limit ${placeholder('limit')}
        ) as ${cases}
        order by ${cases.id} desc`,
    ),
    count: statement<{ count: number }>(db, sql`select count(*)::int as count from ${cases} where ${own} ${filter}`),
  })
  const holdsKeyword = sql`and strpos(${cases.searchText}, trim(search_fold(${placeholder('keyword')}))) > 0`
  const searchable = { all: statements(), found: statements(holdsKeyword) }

  return {
    async list(userId: number, keyword: string | undefined, range: Range): Promise<Case[]> {
      const rows = await withKeyword(db, { userId, keyword }, searchable, ({ list }, keyword, pool) =>
        list({ userId, keyword, ...range }, pool),
      )
      return rows.map(toCase)
    },

    async count(userId: number, keyword: string | undefined): Promise<number> {
      const [row] = await withKeyword(db, { userId, keyword }, searchable, ({ count }, keyword, pool) =>
        count({ userId, keyword }, pool),
      )
      return row?.count ?? 0
    },

    async get(userId: number, caseId: number): Promise<Case | undefined> {
      const [row] = await db.execute<Row>(sql`select ${columns} from ${cases} where ${ownCase({ userId, caseId })}`)
      return row && toCase(row)
    },

    /** Returns the id of the new case, or of the case that the same request created before. */
    async create(
      { userId, cause }: Caller,
      { givenName, familyName, description, caseStateId = 1 }: NewCase,
      request: KeyedRequest | undefined,
    ): Promise<number> {
      const id = await createOnce(db, { userId, request, kind: 'case', cause }, async (on) => {
        const [row] = await on.execute<{ id: number }>(sql`
          insert into ${cases} (user_id, given_name, family_name, description, case_state_id)
          select ${userId}::int, ${givenName}::text, ${familyName}::text, ${JSON.stringify(description)}::jsonb, ${caseStateId}::int
          where ${because(cause)}
          returning ${cases.id}`)
        return row?.id
      })
      if (id === undefined) throw new Error('the insert returned no row')
      return id
    },

    async update({ userId, caseId, cause }: CallerOfCase, { caseStateId, ...values }: NewCase): Promise<void> {
      await db
        .update(cases)
        .set({ ...values, updatedAt: sql`now()`, ...(caseStateId !== undefined && { caseStateId }) })
        .where(and(ownCase({ userId, caseId }), because(cause)))
    },

    /**
     * Deletes the case and all rows below it, and announces the erasure of its objects. Returns the public id of the erasure;
     * undefined if there was no such case.
     */
    delete: ({ userId, caseId, cause }: CallerOfCase): Promise<string | undefined> =>
      runDeletion(db, userId, async (tx) => {
        const rows = await tx
          .delete(cases)
          .where(and(ownCase({ userId, caseId }), because(cause)))
          .returning({ id: cases.id })
        if (rows.length === 0) return undefined
        const { auditId: requestId } = cause
        return announceErasure(tx, { userId, caseId, sessionId: null, videoId: null, requestId })
      }),
  }
}
