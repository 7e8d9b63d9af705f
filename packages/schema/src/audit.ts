import { type SQL, sql } from 'drizzle-orm'
import { bigint, customType, integer, pgTable, smallint, text } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'
import type { Transaction } from './database.ts'

/** Who acts for whom: a therapist, the analysis system or an operator by a token; a worker; a service that names no cause; a command. */
export type Actor = 'therapist' | 'analysis' | 'operator' | 'worker' | 'service' | 'command'
export type Action = 'create' | 'read' | 'update' | 'delete' | 'export' | 'link' | 'refused'

/** Of a client, as the gateway reports it. */
const inet = customType<{ data: string }>({ dataType: () => 'inet' })

/**
 * Who saw, changed or was refused what. Triggers write changes, a hook of service-kit all else. Rows are never changed; the table has
 * a partition for each month (`migrations/0028_audit.sql`). There are ids only, so that an erasure leaves it as it is.
 */
export const auditEvents = pgTable('audit_events', {
  id: bigint({ mode: 'number' }).notNull(),
  at: instant().notNull(),
  actor: text().$type<Actor>().notNull(),
  /** The therapist, or the operator if the token names one. */
  userId: integer(),
  action: text().$type<Action>().notNull(),
  kind: text().notNull(),
  caseId: integer(),
  sessionId: integer(),
  /** Of a script or report; of a recording its id. */
  version: integer(),
  /** 0, or the `error_code` of the response. */
  result: smallint().notNull(),
  requestId: text(),
  address: inet(),
})

/** The request that changes something. */
export interface Cause {
  actor: Actor
  userId: number | null
  /** Of the client, for logs and jobs. */
  requestId: string
  /** The same for the trail and receipts, which are never changed: a random id, whatever text the client sends. */
  auditId: string
  /** IP address of the client. */
  address: string | null
  /**
   * Whether a statement has named it to the triggers, so that they have written its events. Who answers a request with success
   * although such a statement changed nothing, or was rolled back, sets it to false again.
   */
  isNamed: boolean
}

/**
 * A condition that is always true. In the first statement of a transaction that changes a case or what is below it, it names the
 * cause to the triggers of the audit trail. Without a cause it does nothing: the trail then names the program.
 */
export function because(cause: Cause | undefined): SQL {
  if (!cause) return sql`true`
  const { actor, userId, auditId, address } = cause
  cause.isNamed = true
  return sql`set_config('playtherapy.cause', ${JSON.stringify({ actor, userId, requestId: auditId, address })}, true) is not null`
}

/** Writes that a process hands this script or recording to another server; `version` as in `auditEvents`. */
export async function auditHandover(
  tx: Transaction,
  { kind, caseId, sessionId, version }: { kind: string; caseId: number; sessionId: number; version: number },
): Promise<void> {
  await tx.execute(sql`select audit_change('read', ${kind}, ${caseId}::int, ${sessionId}::int, ${version}::int)`)
}

/** Writes that a command gives out the trail of a case, or of all where it is null. */
export async function auditExport(tx: Transaction, caseId: number | null): Promise<void> {
  await tx.execute(sql`select audit_change('export', 'audit', ${caseId}::int, null, null)`)
}

/** Writes the event of a change for which there is no trigger, and names its cause to those that there are. */
export async function auditChange(tx: Transaction, kind: string, cause: Cause | undefined): Promise<void> {
  await tx.execute(sql`select audit_change('update', ${kind}, null, null, null) where ${because(cause)}`)
}
