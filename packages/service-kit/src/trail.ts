import { type Action, type Actor, type Database, statement } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'

/** What the audit trail tells of a request. */
export interface AuditEvent {
  actor: Actor
  userId: number | null
  action: Action
  kind: string
  caseId: number | null
  sessionId: number | null
  version: number | null
  /** 0, or the `error_code` of the response. */
  result: number
  requestId: string
  address: string | null
}

/** Resolves when an event is durable. `writeOnce` writes one in ten minutes for all with the same key. */
export interface Trail {
  write(event: AuditEvent): Promise<void>
  writeOnce(key: string, event: AuditEvent): Promise<void>
}

/** Events that wait for the trail; more are refused. */
const mostWaiting = 2_000
/** Events of one `INSERT`. */
const mostAtOnce = 500
/** An `INSERT` that takes longer may have lost its connection: another one then takes what came meanwhile, so many at most. */
const [slowMs, mostInserts] = [250, 3]
/** For how long a viewer of a recording is not told again, and how many viewers are remembered. */
const [onceMs, mostRemembered] = [600_000, 20_000]

/** The database is so slow that too many events wait, or one waited too long. */
class TrailBusyError extends Error {
  override name = 'TrailBusyError'
  constructor() {
    super('too many events wait, or too long')
  }
}

interface Entry {
  event: AuditEvent
  resolve: () => void
  reject: (error: unknown) => void
}

/**
 * The audit trail of a process: one `INSERT` is under way at a time unless it is slow, and the next one takes all events that came
 * meanwhile. An event that is not durable after `longestMs` is refused; it may still be written if its `INSERT` has begun.
 */
export function createTrail(db: Database, longestMs: number): Trail {
  const insert = statement(
    db,
    sql`insert into audit_events (actor, user_id, action, kind, case_id, session_id, version, result, request_id, address)
      select "actor", "userId", "action", "kind", "caseId", "sessionId", "version", "result", "requestId", "address"
      from json_to_recordset(${sql.placeholder('events')}::text::json) as event("actor" text, "userId" int, "action" text,
        "kind" text, "caseId" int, "sessionId" int, "version" int, "result" smallint, "requestId" text, "address" inet)`,
  )
  const waiting = new Set<Entry>()
  /** `INSERT`s that are under way, and those of them that are slow. */
  let [inserts, slow] = [0, 0]

  async function writeBatch(): Promise<void> {
    const batch = [...waiting].slice(0, mostAtOnce)
    for (const entry of batch) waiting.delete(entry)
    let isSlow = false
    const late = setTimeout(() => {
      isSlow = true
      slow++
      writeWaiting()
    }, slowMs)
    inserts++
    try {
      await insert({ events: JSON.stringify(batch.map(({ event }) => event)) })
      for (const { resolve } of batch) resolve()
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
    clearTimeout(late)
    inserts--
    if (isSlow) slow--
    writeWaiting()
  }

  function writeWaiting(): void {
    if (waiting.size > 0 && inserts === slow && inserts < mostInserts) writeBatch()
  }

  const write = (event: AuditEvent) =>
    new Promise<void>((resolve, reject) => {
      if (waiting.size >= mostWaiting) return reject(new TrailBusyError())
      const late = setTimeout(() => {
        waiting.delete(entry)
        reject(new TrailBusyError())
      }, longestMs)
      const settle =
        <T extends unknown[]>(how: (...values: T) => void) =>
        (...values: T) => {
          clearTimeout(late)
          how(...values)
        }
      const entry: Entry = { event, resolve: settle(resolve), reject: settle(reject) }
      waiting.add(entry)
      writeWaiting()
    })

  /** Those that were told last come last. */
  const told = new Map<string, { at: number; written: Promise<void> }>()
  return {
    write,
    writeOnce(key, event) {
      const before = told.get(key)
      if (before && performance.now() - before.at < onceMs) return before.written
      told.delete(key)
      const written = write(event)
      told.set(key, { at: performance.now(), written })
      written.catch(() => {
        if (told.get(key)?.written === written) told.delete(key)
      })
      const [oldest] = told.size > mostRemembered ? told.keys() : []
      if (oldest !== undefined) told.delete(oldest)
      return written
    },
  }
}
