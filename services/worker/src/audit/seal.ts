import { auditEvents, type Database, type Transaction, tryLock } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'
import { beginning, eventsWhere, hashOf } from './chain.ts'

/** Events of one seal. */
const sealEvents = 1_000

/** Ids up to `upTo` were given out while these transactions could write events; others may write only larger ones. */
interface Horizon {
  upTo: number
  writers: string[]
}

/**
 * Reads the last id that was given out, and then who can write events. An `INSERT` locks the table before it takes its id, so each
 * event up to that id is committed, or is rolled back, or its transaction is among them.
 */
async function horizon(db: Database): Promise<Horizon> {
  const [last] = await db.execute<{ id: number | null }>(
    sql`select pg_sequence_last_value('audit_events_id_seq')::float8 as id`,
  )
  return { upTo: last?.id ?? 0, writers: await writersOf(db) }
}

async function writersOf(db: Database): Promise<string[]> {
  const rows = await db.execute<{ writer: string }>(
    sql`select virtualtransaction as writer from pg_locks
      where relation = 'audit_events'::regclass and mode = 'RowExclusiveLock' and granted
        and database = (select oid from pg_database where datname = current_database())`,
  )
  return rows.map(({ writer }) => writer)
}

interface LastSeal extends Record<string, unknown> {
  last_id: number
  head: Buffer
}

/** The last seal; undefined before the first one. */
async function lastSeal(db: Pick<Database, 'execute'>): Promise<LastSeal | undefined> {
  const [seal] = await db.execute<LastSeal>(
    sql`select last_id::float8, substring(hashes from octet_length(hashes) - 31) as head
      from audit_seals order by audit_seals.last_id desc limit 1`,
  )
  return seal
}

/** Seals the next events up to this id; returns how many. */
async function sealNext(tx: Transaction, upTo: number): Promise<number> {
  const last = await lastSeal(tx)
  const after = last?.last_id ?? 0
  const isNext = sql`${auditEvents.id} > ${after} and ${auditEvents.id} <= ${upTo}`
  const events = await eventsWhere(tx, isNext, sealEvents)
  if (events.length === 0) return 0
  const previous = last?.head ?? beginning
  const hashes: Buffer[] = []
  for (const event of events) hashes.push(hashOf(hashes.at(-1) ?? previous, event))
  const ids = events.map(({ id }) => id)
  const moments = events.map(({ at }) => at)
  const sorted = moments.toSorted()
  await tx.execute(sql`
    insert into audit_seals (last_id, ids, moments, previous, hashes, first_at, last_at)
    values (${ids.at(-1)}::bigint, ${`{${ids.join()}}`}::text::bigint[],
      ${`{${moments.join()}}`}::text::timestamptz[], decode(${previous.toString('hex')}, 'hex'),
      decode(${Buffer.concat(hashes).toString('hex')}, 'hex'), ${sorted[0]}::timestamptz, ${sorted.at(-1)}::timestamptz)`)
  return events.length
}

/**
 * Returns a function that seals what is certainly committed, in the order of the ids. Events that are written now are sealed by a later
 * call, when their transactions have ended. While another process seals it does nothing. Returns how many it has sealed.
 */
export function createSealer(db: Database): (signal?: AbortSignal) => Promise<number> {
  let waiting: Horizon | undefined
  return async (signal) => {
    let sealed = 0
    while (!signal?.aborted) {
      waiting ??= await horizon(db)
      const { upTo, writers } = waiting
      const running = writers.length > 0 ? await writersOf(db) : []
      if (running.some((writer) => writers.includes(writer))) return sealed
      const count = await db.transaction(async (tx) => ((await tryLock(tx, 'seal')) ? sealNext(tx, upTo) : 0))
      sealed += count
      if (count < sealEvents) {
        waiting = undefined
        return sealed
      }
    }
    return sealed
  }
}
