import { cases, type Database, ownCase, ownCases, sessions, statement } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'
import { bury, erase } from '../erasure.ts'
import { type KeyedRequest, makeOnce } from '../idempotency.ts'
import type { Range } from '../paging.ts'
import { ask } from '../search.ts'
import type { Case } from './schemas.ts'

export interface NewCase {
  givenName: string
  familyName: string | null
  description: Record<string, unknown>
  /** Undefined keeps what it is, or is 1 at first. */
  caseStateId: number | undefined
}

type Row = Omit<Case, 'description'> & { description: Record<string, unknown> }

/** Completes the driver's own objects: copies of a page's rows would cost more than all else that Node does for it. */
const toCase = (row: Row): Case =>
  Object.assign(row, {
    description: Object.assign(row.description, {
      age: row.description.age ?? null,
      gender: row.description.gender ?? '',
    }),
  })

/** The statements about cases, each for one therapist. `timeZone` decides which day a moment belongs to. */
export function caseRepository(db: Database, timeZone: string) {
  const day = (moment: typeof cases.createdAt | typeof cases.updatedAt) =>
    sql`to_char(${moment} at time zone ${timeZone}, 'YYYY-MM-DD')`
  /** Of rows `cases`, which may be a page of them: the sessions are counted for no others. */
  const columns = sql`
    ${cases.id}, ${cases.givenName}, ${cases.familyName}, ${cases.description}, ${cases.userId},
    (select count(*)::int from ${sessions} where ${sessions.caseId} = ${cases.id}) as session_count,
    ${day(cases.createdAt)} as start_date, ${day(cases.updatedAt)} as updated_date, ${cases.caseStateId}`

  const { placeholder } = sql
  const own = ownCases(placeholder('userId'))
  const statements = (more = sql``) => ({
    list: statement<Row>(
      db,
      sql`select ${columns}
        from (
          select * from ${cases} where ${own} ${more} and ${cases.id} < ${placeholder('before')}::int8
          order by ${cases.id} desc offset ${placeholder('offset')} limit ${placeholder('limit')}
        ) as ${cases}
        order by ${cases.id} desc`,
    ),
    count: statement<{ count: number }>(db, sql`select count(*)::int as count from ${cases} where ${own} ${more}`),
  })
  const holdsKeyword = sql`and strpos(${cases.searchText}, search_fold(${placeholder('keyword')})) > 0`
  const of = { all: statements(), found: statements(holdsKeyword) }

  return {
    async list(userId: number, keyword: string | undefined, range: Range): Promise<Case[]> {
      const rows = await ask(db, { userId, keyword }, of, ({ list }, keyword, pool) =>
        list({ userId, keyword, ...range }, pool),
      )
      return rows.map(toCase)
    },

    async count(userId: number, keyword: string | undefined): Promise<number> {
      const [row] = await ask(db, { userId, keyword }, of, ({ count }, keyword, pool) =>
        count({ userId, keyword }, pool),
      )
      return row?.count ?? 0
    },

    async get(userId: number, caseId: number): Promise<Case | undefined> {
      const [row] = await db.execute<Row>(sql`select ${columns} from ${cases} where ${ownCase({ userId, caseId })}`)
      return row && toCase(row)
    },

    /** The new id, or that of the case which the same request has made before. */
    async create(
      userId: number,
      { caseStateId, ...values }: NewCase,
      request: KeyedRequest | undefined,
    ): Promise<number> {
      const id = await makeOnce(db, { userId, request, kind: 'case' }, async (on) => {
        const [row] = await on
          .insert(cases)
          .values({ ...values, userId, ...(caseStateId !== undefined && { caseStateId }) })
          .returning({ id: cases.id })
        return row?.id
      })
      if (id === undefined) throw new Error('the insert gave no row')
      return id
    },

    async update(userId: number, caseId: number, { caseStateId, ...values }: NewCase): Promise<void> {
      await db
        .update(cases)
        .set({ ...values, updatedAt: sql`now()`, ...(caseStateId !== undefined && { caseStateId }) })
        .where(ownCase({ userId, caseId }))
    },

    /** Removes the case with everything below it, and announces that its objects go too. Whether it was there. */
    delete: (userId: number, caseId: number, requestId: string): Promise<boolean> =>
      erase(db, userId, async (tx) => {
        const rows = await tx.delete(cases).where(ownCase({ userId, caseId })).returning({ id: cases.id })
        if (rows.length === 0) return false
        await bury(tx, { caseId, sessionId: null, requestId })
        return true
      }),
  }
}
