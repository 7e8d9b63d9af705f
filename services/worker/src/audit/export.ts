import { auditEvents, auditExport, type Database } from '@playtherapy/schema'
import { type SQL, sql } from 'drizzle-orm'
import { eventsWhere } from './chain.ts'
import { toFhir } from './fhir.ts'

interface Wanted {
  from: Date | undefined
  /** The first moment that is left out. */
  to: Date | undefined
  caseId: number | undefined
  format: 'json' | 'fhir'
}

/** Events read at once. */
const batchEvents = 5_000

/** Yields the events that are wanted, in the order of their ids, as JSON with a line break each, some thousand at a time. */
export async function* exportEvents(db: Database, { from, to, caseId, format }: Wanted): AsyncGenerator<string> {
  const conditions: SQL[] = [
    ...(from ? [sql`${auditEvents.at} >= ${from.toISOString()}::timestamptz`] : []),
    ...(to ? [sql`${auditEvents.at} < ${to.toISOString()}::timestamptz`] : []),
    ...(caseId ? [sql`${auditEvents.caseId} = ${caseId}`] : []),
  ]
  for (let after = Number.MIN_SAFE_INTEGER; ; ) {
    const where = sql.join([sql`${auditEvents.id} > ${after}::bigint`, ...conditions], sql` and `)
    const events = await eventsWhere(db, where, batchEvents)
    const last = events.at(-1)
    if (!last) return
    yield events.map((event) => `${JSON.stringify(format === 'fhir' ? toFhir(event) : event)}\n`).join('')
    after = last.id
  }
}

/** Yields the same for a command, of which the trail tells first: if that cannot be written, nothing is given out. */
export async function* giveOut(db: Database, wanted: Wanted): AsyncGenerator<string> {
  await db.transaction((tx) => auditExport(tx, wanted.caseId ?? null))
  yield* exportEvents(db, wanted)
}
