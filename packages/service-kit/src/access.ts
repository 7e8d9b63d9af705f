import { cases, type Database, ownCase, sessions, statement } from '@playtherapy/schema'
import { eq, type SQL, sql } from 'drizzle-orm'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { errors, fault } from './errors.ts'
import { int32, numberText } from './openapi.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The case of the path, once the guard has found it to be this caller's; 0 before. */
    caseId: number
    /** The session of the path, once the guard has found it in that case; 0 before. */
    sessionId: number
  }
}

const id = (description: string) => numberText('^-?[0-9]{1,10}$', description, int32)

/** Path parameters for the OpenAPI document; the guards below are what reads and checks them. */
export const CaseParams = Type.Object({ case_id: id('A case of the caller') })
export const SessionParams = Type.Object({ case_id: id('A case of the caller'), session_id: id('A session of it') })

/** Decorates requests with what the guards find. */
export function installAccess(host: FastifyInstance): void {
  host.decorateRequest('caseId', 0)
  host.decorateRequest('sessionId', 0)
}

/** The text of a path parameter; undefined where the route has no such parameter. */
const parameter = (params: unknown, name: string): unknown =>
  typeof params === 'object' && params !== null ? Reflect.get(params, name) : undefined

/** The int4 that a path parameter spells; undefined for anything else. */
function int4(text: unknown): number | undefined {
  const value = typeof text === 'string' && /^(0|-?[1-9]\d{0,9})$/.test(text) ? Number(text) : Number.NaN
  return value >= -2_147_483_648 && value <= 2_147_483_647 ? value : undefined
}

/** The ids in the path of a request, whoever they belong to; of a signed link those that it names. */
export function askedIds({ params, caseId, sessionId }: FastifyRequest) {
  const asked = (name: string) => Math.max(int4(parameter(params, name)) ?? 0, 0)
  return { caseId: caseId || asked('case_id') || null, sessionId: sessionId || asked('session_id') || null }
}

const noId = (name: string) => fault(['path', name], 'must be an integer', 'integer')

/** Finds case and session of the path among those of the therapist, or among all, with `columns` of the session. */
function guard<Row extends Record<string, unknown>>(db: Database, whose: 'own' | 'all', columns: SQL[] = []) {
  const { placeholder } = sql
  const wanted = { userId: placeholder('userId'), caseId: placeholder('caseId') }
  const find = statement<Row & { session_id: number | null }>(
    db,
    sql`select ${sql.join([sql`${sessions.id} as session_id`, ...columns], sql`, `)} from ${cases}
      left join ${sessions} on ${sessions.caseId} = ${cases.id} and ${sessions.id} = ${placeholder('sessionId')}
      where ${whose === 'own' ? ownCase(wanted) : eq(cases.id, wanted.caseId)}`,
  )
  return async (request: FastifyRequest): Promise<Row | undefined> => {
    const caseText = parameter(request.params, 'case_id')
    if (caseText === undefined) return undefined
    const caseId = int4(caseText)
    if (caseId === undefined) throw noId('case_id')

    const sessionText = parameter(request.params, 'session_id')
    const sessionId = int4(sessionText)
    // Ids begin at 1: with 0 the statement finds the case alone.
    const [found] = await find({ caseId, sessionId: sessionId ?? 0, userId: request.userId })
    if (!found) throw errors.caseNotFound(caseId)
    // The case is settled before a malformed session id is refused (contract, "Order of checks").
    if (sessionText !== undefined && sessionId === undefined) throw noId('session_id')
    if (sessionId !== undefined && found.session_id === null) throw errors.sessionNotFound(sessionId)

    request.caseId = caseId
    request.sessionId = sessionId ?? 0
    return found
  }
}

/**
 * onRequest hook for routes with `case_id`, and perhaps `session_id`, in their path: the case must be the caller's and
 * the session must be in that case, which is settled before a byte of the body is read. Foreign and missing look the
 * same. Runs after `requireTherapist`. Throws 422 for an id that is no int4, `errors.caseNotFound` and
 * `errors.sessionNotFound`.
 */
export const guardAccess = (db: Database) => guard(db, 'own')

/**
 * The same for a hook of a single route that needs `columns` of the session besides: it returns them, so that the route
 * asks the database once. Each is an expression over `sessions` with a name.
 */
export const guardSession = <Row extends Record<string, unknown>>(db: Database, columns: SQL[]) =>
  guard<Row>(db, 'own', columns)

/** The same for the analysis system, which has no therapist: the session must exist in that case. */
export const guardExistence = (db: Database) => guard(db, 'all')
