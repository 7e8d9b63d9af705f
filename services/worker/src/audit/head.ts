import {
  auditHeadKey,
  auditHeadPrefix,
  auditRestoreKey,
  auditRestorePrefix,
  eventOfHead,
  ObjectExistsError,
  type ObjectStore,
  type Phase,
} from '@playtherapy/object-store'
import type { Database } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'

/** The hash of an event, as it was written to the object store. */
export interface Head {
  id: number
  /** In hex. */
  hash: string
  sealedAt: Date
  /** When the youngest event of its seal was. Unknown where a release wrote it that did not say so. */
  lastAt: Date | undefined
  /** Until when Object Lock keeps it. */
  lockedUntil: Date | undefined
  /** Whether an operator has said that a restore of the database has lost its event. */
  isLost: boolean
}

/** An object that the store does not give out, or that is not as we write it, so that somebody has written or replaced it. */
export interface Unreadable {
  /** The event that its key names; 0 where it names none. */
  id: number
  unreadable: 'head' | 'restore'
}

interface Resources {
  db: Database
  store: Pick<ObjectStore, 'put' | 'list' | 'history'>
  phase: Phase
}

const Written = Type.Object({
  id: Type.Integer(),
  hash: Type.String(),
  sealed_at: Type.String(),
  last_at: Type.Optional(Type.String()),
})

/** What an operator has said of a restore. */
const Restore = Type.Object({
  at: Type.String(),
  /** The last event that was sealed then. */
  last_id: Type.Integer(),
  lost: Type.Array(Type.Object({ id: Type.Integer(), hash: Type.String() })),
})
export type Restore = Static<typeof Restore>

/** A head has some 150 bytes, and an object of a restore some 100 for each head. */
const [headBytes, restoreBytes] = [4_096, 8 * 1024 ** 2]
/** Heads of one object of a restore, which are those of five years. */
const restoreHeads = 50_000
/** The age of a head at which it is no longer compared each hour. */
const recentMs = 7 * 86_400_000

/** The trail in the database is not the one of which the object store has heads. */
class TrailForkedError extends Error {
  override name = 'TrailForkedError'
  constructor() {
    super('the object store has heads of the audit trail that the database does not have')
  }
}

/** The moment until which an object is kept that is written now, as long as the trail. */
async function endOf(db: Database): Promise<Date> {
  const [row] = await db.execute<{ ms: number }>(
    sql`select extract(epoch from now() + make_interval(years => audit_years))::float8 * 1000 as ms from installation`,
  )
  if (!row) throw new Error('the installation has no row')
  return new Date(row.ms)
}

/** Writes an object that is never changed, and with Object Lock kept as long as the trail. */
async function write({ db, store }: Resources, key: string, value: object): Promise<void> {
  const body = Buffer.from(JSON.stringify(value))
  const keepUntil = await endOf(db)
  await store.put(key, body, { contentType: 'application/json', keepUntil }).catch((error: unknown) => {
    if (!(error instanceof ObjectExistsError)) throw error
  })
}

/**
 * Writes the hash of the last event that is sealed to the object store, where who can change the database cannot change it. Where it was
 * written before it does nothing. Rejects with TrailForkedError where the heads of the last days are not all of this trail: the
 * database was restored from a backup that is older than they are, or somebody has made the trail anew.
 */
export async function writeHead(resources: Resources): Promise<void> {
  const { db, phase } = resources
  const [last] = await db.execute<Static<typeof Written>>(
    sql`select last_id::float8 as id, encode(substring(hashes from octet_length(hashes) - 31), 'hex') as hash,
        to_char(sealed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as sealed_at,
        to_char(last_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as last_at
      from audit_seals order by audit_seals.last_id desc limit 1`,
  )
  if (last) await write(resources, auditHeadKey(phase, last.id, last.hash), last)
  await assertOwnHeads(resources)
}

async function assertOwnHeads({ db, store, phase }: Resources): Promise<void> {
  const recent = new Map<string, number>()
  for await (const { key, lastModified } of store.list(auditHeadPrefix(phase))) {
    const id = eventOfHead(key)
    if (id > 0 && lastModified.getTime() > Date.now() - recentMs) recent.set(key, id)
  }
  for await (const restore of restores({ store, phase })) {
    for (const { id, hash } of 'lost' in restore ? restore.lost : []) recent.delete(auditHeadKey(phase, id, hash))
  }
  // Seals are read after the heads, which other workers write, too.
  const seals = await db.execute<{ id: number; hash: string }>(
    sql`select last_id::float8 as id, encode(substring(hashes from octet_length(hashes) - 31), 'hex') as hash
      from audit_seals where audit_seals.last_id = any(${`{${[...recent.values()].join()}}`}::text::bigint[])`,
  )
  for (const { id, hash } of seals) recent.delete(auditHeadKey(phase, id, hash))
  if (recent.size > 0) throw new TrailForkedError()
}

function parse<T extends typeof Written | typeof Restore>(
  schema: T,
  bytes: Uint8Array | undefined,
): Static<T> | undefined {
  try {
    return bytes && Value.Parse(schema, JSON.parse(Buffer.from(bytes).toString()))
  } catch {
    return undefined
  }
}

/** What operators have said of restores. One has an object for every 50,000 heads. */
export async function* restores({ store, phase }: Omit<Resources, 'db'>): AsyncGenerator<Restore | Unreadable> {
  for await (const { key, bytes } of store.history(auditRestorePrefix(phase), restoreBytes)) {
    yield parse(Restore, bytes) ?? { id: eventOfHead(key), unreadable: 'restore' }
  }
}

/** Writes for good that a restore of the database, whose last sealed event is `lastId`, has lost the events of these heads. */
export async function writeRestore(resources: Resources, lastId: number, heads: Head[]): Promise<void> {
  const at = new Date()
  const all = heads.map(({ id, hash }) => ({ id, hash })).sort((a, b) => a.id - b.id)
  for (let from = 0; from < all.length; from += restoreHeads) {
    const lost = all.slice(from, from + restoreHeads)
    const restore: Restore = { at: at.toISOString(), last_id: lastId, lost }
    await write(resources, auditRestoreKey(resources.phase, lost.at(-1)?.id ?? 0, at), restore)
  }
}

/** What restores nobody can read, and all heads that were ever written, in a versioned bucket also those that were replaced or deleted since. */
export async function* heads(resources: Omit<Resources, 'db'>): AsyncGenerator<Head | Unreadable> {
  const { store, phase } = resources
  const isLost = new Set<string>()
  for await (const restore of restores(resources)) {
    if ('unreadable' in restore) yield restore
    else for (const { id, hash } of restore.lost) isLost.add(`${id} ${hash}`)
  }
  for await (const { key, bytes, lockedUntil } of store.history(auditHeadPrefix(phase), headBytes)) {
    const head = parse(Written, bytes)
    if (!head) yield { id: eventOfHead(key), unreadable: 'head' }
    else {
      const { id, hash, sealed_at, last_at } = head
      const moments = { sealedAt: new Date(sealed_at), lastAt: last_at ? new Date(last_at) : undefined }
      yield { id, hash, ...moments, lockedUntil, isLost: isLost.has(`${id} ${hash}`) }
    }
  }
}
