import { createHash } from 'node:crypto'
import { auditEvents, type Database } from '@playtherapy/schema'
import { type SQL, sql } from 'drizzle-orm'

/** An event as it is hashed and exported: every column as text or number. */
export interface SealedEvent extends Record<string, unknown> {
  /** Whole numbers below 2^53. */
  id: number
  /** ISO 8601, in UTC, with microseconds. */
  at: string
  actor: string
  user_id: number | null
  action: string
  kind: string
  case_id: number | null
  session_id: number | null
  version: number | null
  result: number
  request_id: string | null
  address: string | null
}

/** The columns of a `SealedEvent`. */
const columns = sql`${auditEvents.id}::float8 as id,
  to_char(${auditEvents.at} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at,
  ${auditEvents.actor}, ${auditEvents.userId}, ${auditEvents.action}, ${auditEvents.kind}, ${auditEvents.caseId},
  ${auditEvents.sessionId}, ${auditEvents.version}, ${auditEvents.result}, ${auditEvents.requestId},
  host(${auditEvents.address}) as address`

/** Selects events that meet a condition, in the order of their ids, at most so many. */
export const eventsWhere = (db: Pick<Database, 'execute'>, condition: SQL, most: number): Promise<SealedEvent[]> =>
  db.execute<SealedEvent>(
    sql`select ${columns} from ${auditEvents} where ${condition} order by ${auditEvents.id} limit ${most}`,
  )

/** Bytes of a hash. */
export const hashBytes = 32
/** What comes before the first event of an installation. */
export const beginning = Buffer.alloc(hashBytes)

/**
 * The hash of an event: SHA-256 of the hash of the event before and of the JSON of its values in this order, without white space. It
 * must never change, because hashes are kept for years.
 */
export function hashOf(previous: Uint8Array, event: SealedEvent): Buffer {
  const { id, at, actor, user_id, action, kind, case_id, session_id, version, result, request_id, address } = event
  const values = [id, at, actor, user_id, action, kind, case_id, session_id, version, result, request_id, address]
  return createHash('sha256').update(previous).update(JSON.stringify(values)).digest()
}
