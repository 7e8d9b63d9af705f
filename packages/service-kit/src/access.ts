import { cases, type Database, sessions, statement } from '@playtherapy/schema'
import { and, eq, exists, type Placeholder, type SQL, sql } from 'drizzle-orm'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { errors, fault } from './errors.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The case of the path, once the guard has found it to be this caller's; 0 before. */
    caseId: number
    /** The session of the path, once the guard has found it in that case; 0 before. */
    sessionId: number
  }
}

const id = (description: string) => Type.String({ pattern: '^-?[0-9]{1,10}$', description })

/** Path parameters for the OpenAPI document; the guards below are what reads and checks them. */
export const CaseParams = Type.Object({ case_id: id('A case of the caller') })
export const SessionParams = Type.Object({ case_id: id('A case of the caller'), session_id: id('A session of it') })

/** Decorates requests with what the guards find. */
export function installAccess(host: FastifyInstance): void {
  host.decorateRequest('caseId', 0)
  host.decorateRequest('sessionId', 0)
}

/** An int4 from the path, or 422 with its place. */
function idFrom(params: unknown, name: string): number {
  const text: unknown = typeof params === 'object' && params !== null ? Reflect.get(params, name) : undefined
  const value = typeof text === 'string' && /^(0|-?[1-9]\d{0,9})$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= -2_147_483_648 && value <= 2_147_483_647)) throw fault(['path', name], 'must be an integer', 'int4')
  return value
}

const has = (params: unknown, name: string) => typeof params === 'object' && params !== null && name in params

/** Finds case and session of the path among all, or among those of the therapist alone. */
function guard(db: Database, isTherapist: boolean) {
  const { placeholder } = sql
  const session = and(eq(sessions.caseId, cases.id), eq(sessions.id, placeholder('sessionId')))
  const owned = isTherapist ? eq(cases.userId, placeholder('userId')) : undefined
  const find = statement<{ session_id: number | null }>(
    db,
    sql`select ${sessions.id} as session_id from ${cases} left join ${sessions} on ${session}
      where ${and(eq(cases.id, placeholder('caseId')), owned)}`,
  )
  return async (request: FastifyRequest): Promise<void> => {
    if (!has(request.params, 'case_id')) return
    const caseId = idFrom(request.params, 'case_id')
    const wantsSession = has(request.params, 'session_id')
    // A session id that is no id is reported after the case: the order of decision 3 is token, case, session.
    let sessionId = 0
    let malformed: unknown
    try {
      if (wantsSession) sessionId = idFrom(request.params, 'session_id')
    } catch (error) {
      malformed = error
    }
    const [row] = await find({ caseId, sessionId, userId: request.userId })
    if (!row) throw errors.caseNotFound(caseId)
    if (malformed) throw malformed
    if (wantsSession && row.session_id === null) throw errors.sessionNotFound(sessionId)
    request.caseId = caseId
    request.sessionId = sessionId
  }
}

/**
 * onRequest hook for routes with `case_id`, and perhaps `session_id`, in their path: the case must be the caller's and
 * the session must be in that case, settled before a byte of the body is read. Foreign and missing look the same.
 * Runs after `requireTherapist`. Errors: 422 for what is no int4, code 2, code 3.
 */
export const guardAccess = (db: Database) => guard(db, true)

/** The same for the analysis system, which has no therapist: the session must exist in that case. */
export const guardExistence = (db: Database) => guard(db, false)

/** Whose session a request is about, as the guard has found it. */
export type SessionOfCaller = Pick<FastifyRequest, 'userId' | 'caseId' | 'sessionId'>

/**
 * The condition that a row of `sessions` is this session, in this case, of this therapist; with placeholders, of whom a
 * made statement is then asked for.
 */
export function ownSession(
  db: Database,
  { userId, caseId, sessionId }: Record<keyof SessionOfCaller, number | Placeholder>,
): SQL | undefined {
  const ownCase = db
    .select({ id: cases.id })
    .from(cases)
    .where(and(eq(cases.id, caseId), eq(cases.userId, userId)))
  return and(eq(sessions.id, sessionId), eq(sessions.caseId, caseId), exists(ownCase))
}
