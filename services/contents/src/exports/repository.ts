import {
  announce,
  because,
  type CaseOfCaller,
  type Cause,
  caseExports,
  cases,
  type Database,
  lockExportOf,
  lockExports,
  ownCase,
  ownCases,
  State,
} from '@playtherapy/schema'
import { and, eq, inArray, sql } from 'drizzle-orm'

/** Exports of one therapist that may wait or be made at the same time: each may read and write many gigabytes. */
export const mostUnfinished = 2

/** What of a case is exported. */
export interface Wanted {
  withoutMedia: boolean
  pseudonyms: boolean
}

type Begun = { kind: 'begun'; id: number } | { kind: 'missing' } | { kind: 'running' } | { kind: 'tooMany' }

const isUnfinished = inArray(caseExports.stateId, [State.READY, State.START])

/** Begins and reads exports, each call those of one therapist. */
export function exportRepository(db: Database) {
  return {
    /**
     * Begins the export of a case in place of one that has ended, and announces its job. Exports of one therapist begin one after the
     * other. Locks the case, for key share.
     */
    begin: (caller: CaseOfCaller, wanted: Wanted, cause: Cause): Promise<Begun> =>
      db.transaction(async (tx) => {
        await lockExports(tx, caller.userId)
        const [own] = await tx
          .select({ id: cases.id })
          .from(cases)
          .where(and(ownCase(caller), because(cause)))
          .for('key share')
        if (!own) return { kind: 'missing' }
        await lockExportOf(tx, caller.caseId)
        const unfinished = await tx
          .select({ caseId: caseExports.caseId })
          .from(caseExports)
          .innerJoin(cases, eq(cases.id, caseExports.caseId))
          .where(and(ownCases(caller.userId), isUnfinished))
        if (unfinished.some(({ caseId }) => caseId === caller.caseId)) return { kind: 'running' }
        if (unfinished.length >= mostUnfinished) return { kind: 'tooMany' }
        await tx
          .delete(caseExports)
          .where(
            and(eq(caseExports.caseId, caller.caseId), sql`exists (select from ${cases} where ${ownCase(caller)})`),
          )
        // The query builder would name every column, and this process may only fill these.
        const [row] = await tx.execute<{ id: number }>(sql`
          insert into ${caseExports} (case_id, without_media, pseudonyms)
          values (${caller.caseId}, ${wanted.withoutMedia}, ${wanted.pseudonyms}) returning ${caseExports.id}`)
        if (!row) throw new Error('the insert returned no row')
        await announce(tx, 'export-case', { export_id: row.id }, { requestId: cause.requestId })
        return { kind: 'begun', id: row.id }
      }),

    /** The export of the caller's case; undefined if there is none. */
    async get(caller: CaseOfCaller) {
      const [row] = await db
        .select({
          id: caseExports.id,
          stateId: caseExports.stateId,
          progress: caseExports.progress,
          withoutMedia: caseExports.withoutMedia,
          pseudonyms: caseExports.pseudonyms,
          size: caseExports.size,
          missing: caseExports.missing,
          failure: caseExports.failure,
          createdAt: caseExports.createdAt,
          finishedAt: caseExports.finishedAt,
          expiresAt: caseExports.expiresAt,
        })
        .from(caseExports)
        .innerJoin(cases, and(eq(cases.id, caseExports.caseId), ownCase(caller)))
        // A row that has expired is removed soon.
        .where(sql`coalesce(${caseExports.expiresAt} > now(), true)`)
      return row
    },
  }
}
