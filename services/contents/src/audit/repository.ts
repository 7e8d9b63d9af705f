import { auditEvents, type CaseOfCaller, cases, type Database, ownCase, statement } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'
import type { Static } from 'typebox'
import type { AuditEvents } from './schemas.ts'

/** Events of one page. */
const pageEvents = 100

type Event = Static<typeof AuditEvents>[number]

/** Returns a function that selects a page of the audit trail of the caller's case, newest first, by a prepared statement. */
export function eventsOf(db: Database) {
  const { placeholder } = sql
  const caller = { userId: placeholder('userId'), caseId: placeholder('caseId') }
  const select = statement<Event>(
    db,
    sql`select ${auditEvents.id}::float8 as id, to_char(${auditEvents.at} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at,
        ${auditEvents.actor}, ${auditEvents.userId}, ${auditEvents.action}, ${auditEvents.kind}, ${auditEvents.sessionId},
        ${auditEvents.version}, ${auditEvents.result}, ${auditEvents.requestId}, host(${auditEvents.address}) as address
      from ${auditEvents}
      where ${auditEvents.caseId} = ${placeholder('caseId')} and exists (select from ${cases} where ${ownCase(caller)})
        and ${auditEvents.id} < ${placeholder('before')}::int8
      order by ${auditEvents.id} desc limit ${pageEvents}`,
  )
  return ({ userId, caseId }: CaseOfCaller, before = Number.MAX_SAFE_INTEGER): Promise<Event[]> =>
    select({ userId, caseId, before })
}
