import { type Placeholder, type SQL, sql } from 'drizzle-orm'
import { cases, sessions } from './tables.ts'

/**
 * A case, and the therapist who asks for it. The conditions below are the one way to say "rows of this therapist": every
 * statement of a therapist's request has one of them, and a test reads all sources for statements without. Pass
 * placeholders to build a prepared statement once and fill in the ids per request.
 */
export interface CaseOfCaller {
  userId: number
  caseId: number
}

/** A session, its case, and the therapist who asks for it. */
export interface SessionOfCaller extends CaseOfCaller {
  sessionId: number
}

type Wanted<Ids> = Record<keyof Ids, number | Placeholder>

/** The condition that a row of `cases` belongs to this therapist. */
export const ownCases = (userId: number | Placeholder | SQL): SQL => sql`${cases.userId} = ${userId}`

/** The condition that a row of `cases` is this case, and belongs to this therapist. */
export const ownCase = ({ userId, caseId }: Wanted<CaseOfCaller>): SQL =>
  sql`${cases.id} = ${caseId} and ${ownCases(userId)}`

/** The condition that a row of `sessions` belongs to this case, and the case to this therapist. */
export const ownSessions = (caller: Wanted<CaseOfCaller>): SQL =>
  sql`${sessions.caseId} = ${caller.caseId} and exists (select from ${cases} where ${ownCase(caller)})`

/** The condition that a row of `sessions` is this session, in this case, of this therapist. */
export const ownSession = (caller: Wanted<SessionOfCaller>): SQL =>
  sql`${sessions.id} = ${caller.sessionId} and ${ownSessions(caller)}`
