import { auditEvents, type Database } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'
import { eventsWhere, hashBytes, hashOf, type SealedEvent } from './chain.ts'
import type { Head, Unreadable } from './head.ts'

/** What is wrong with the trail, at this event. */
export interface Fault {
  id: number
  fault: string
}

/** What a verification found, beside faults. */
export interface Verified {
  /** Events whose hashes are right. */
  sealed: number
  /** Events after the last seal. */
  unsealed: number
  /** Heads in the object store that agree with the trail, and those of them that Object Lock keeps. */
  heads: number
  locked: number
  /** Heads whose events a restore of the database has lost, as an operator has said. */
  lost: number
  /** Heads of another trail than this one, each of which is a fault. */
  foreign: Head[]
  /** The last event that is sealed; 0 before the first one. */
  lastId: number
}

interface Seal extends Record<string, unknown> {
  last_id: number
  ids: number[]
  previous: Buffer
  hashes: Buffer
  /** When each of its events was, in milliseconds. */
  moments: number[]
}

/** What an event has to do with an object that nobody can read. */
const unreadable = {
  head: 'has a head in the object store that nobody can read',
  restore: 'is the last one of a restore in the object store that nobody can read',
}
const noLimit = 2 ** 31
/** Longer than any transaction that writes an event. */
const dayMs = 86_400_000
/** Less than each id: our own begin at 1, and one that somebody inserted may be negative. */
const smallest = Number.MIN_SAFE_INTEGER

/** The seals in their order, one at a time: each has some 40 KB. */
async function* seals(db: Database): AsyncGenerator<Seal> {
  for (let after = 0; ; ) {
    const [seal] = await db.execute<Seal>(
      sql`select last_id::float8, ids::float8[], previous, hashes,
          array(select extract(epoch from moment)::float8 * 1000 from unnest(moments) with ordinality as of(moment, place)
            order by place) as moments
        from audit_seals
        where audit_seals.last_id > ${after}::bigint order by audit_seals.last_id limit 1`,
    )
    if (!seal) return
    yield seal
    after = seal.last_id
  }
}

/** When the oldest month begins that may not be dropped yet, in milliseconds. */
async function oldestMonth(db: Database): Promise<number> {
  const [row] = await db.execute<{ ms: number }>(
    sql`select extract(epoch from (date_trunc('month', now() at time zone 'UTC') - make_interval(years => audit_years))
      at time zone 'UTC')::float8 * 1000 as ms from installation`,
  )
  if (!row) throw new Error('the installation has no row')
  return row.ms
}

/**
 * Compares all events with their seals, and the seals with each other and with the heads in the object store. Yields what was changed,
 * is missing, or was inserted after it was sealed, and returns the counts. An event is not missing when it is older than the trail is
 * kept, and a head is no fault when an operator has said that a restore has lost its event.
 */
export async function* verify(db: Database, heads: AsyncIterable<Head | Unreadable>): AsyncGenerator<Fault, Verified> {
  const found: Verified = { sealed: 0, unsealed: 0, heads: 0, locked: 0, lost: 0, foreign: [], lastId: 0 }
  const published = new Map<number, Head[]>()
  for await (const head of heads) {
    if ('unreadable' in head) yield { id: head.id, fault: unreadable[head.unreadable] }
    else if (head.isLost) found.lost++
    else published.set(head.id, [...(published.get(head.id) ?? []), head])
  }
  const kept = await oldestMonth(db)
  let isYoung = false
  let last: { id: number; head: Buffer } | undefined
  for await (const seal of seals(db)) {
    const { ids, moments, hashes, previous } = seal
    // The seals before the first one went with their months, or the object store knows them.
    if (last && !previous.equals(last.head)) yield { id: ids[0] ?? 0, fault: 'its seal does not follow the one before' }
    const isSealed = sql`${auditEvents.id} > ${last?.id ?? smallest} and ${auditEvents.id} <= ${seal.last_id}`
    const events = new Map<number, SealedEvent>()
    for (const event of await eventsWhere(db, isSealed, noLimit)) {
      if (events.has(event.id)) yield { id: event.id, fault: 'was inserted with the id of another' }
      events.set(event.id, event)
    }
    let hash: Uint8Array = previous
    for (const [index, id] of ids.entries()) {
      const expected = hashes.subarray(index * hashBytes, (index + 1) * hashBytes)
      const event = events.get(id)
      events.delete(id)
      if (event && hashOf(hash, event).equals(expected)) found.sealed++
      else if (event) yield { id, fault: 'was changed' }
      else if (isYoung || (moments[index] ?? kept) >= kept) yield { id, fault: 'is missing' }
      for (const head of published.get(id) ?? []) {
        // What came after it cannot be as old as its seal may say.
        isYoung ||= head.sealedAt.getTime() >= kept + dayMs
        if (head.hash === expected.toString('hex')) {
          found.heads++
          if ((head.lockedUntil?.getTime() ?? 0) > Date.now()) found.locked++
        } else {
          found.foreign.push(head)
          yield { id, fault: 'does not have the hash that was written to the object store' }
        }
      }
      published.delete(id)
      hash = expected
    }
    for (const id of events.keys()) yield { id, fault: 'was inserted' }
    last = { id: seal.last_id, head: hashes.subarray(-hashBytes) }
  }
  for (const head of [...published.values()].flat()) {
    if ((head.lastAt ?? head.sealedAt).getTime() < kept) continue
    found.foreign.push(head)
    yield { id: head.id, fault: 'is known to the object store, and its seal is missing' }
  }
  const [unsealed] = await db.execute<{ count: number }>(
    sql`select count(*)::float8 as count from ${auditEvents} where ${auditEvents.id} > ${last?.id ?? smallest}`,
  )
  return { ...found, unsealed: unsealed?.count ?? 0, lastId: last?.id ?? 0 }
}
