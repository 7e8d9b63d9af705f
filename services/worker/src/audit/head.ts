import { text } from 'node:stream/consumers'
import {
  auditHeadKey,
  auditHeadPrefix,
  ObjectExistsError,
  type ObjectStore,
  type Phase,
} from '@playtherapy/object-store'
import type { Database } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'
import { Type } from 'typebox'
import { Value } from 'typebox/value'

/** The hash of an event, as it was written to the object store. */
export interface Head {
  id: number
  /** In hex. */
  hash: string
  sealedAt: Date
}

interface Resources {
  db: Database
  store: ObjectStore
  phase: Phase
}

const Written = Type.Object({ id: Type.Integer(), hash: Type.String(), sealed_at: Type.String() })

/**
 * Writes the hash of the last event that is sealed to the object store, where who can change the database cannot change it. Where it was
 * written before it does nothing.
 */
export async function writeHead({ db, store, phase }: Resources): Promise<void> {
  const [last] = await db.execute<{ id: number; hash: string; sealed_at: string }>(
    sql`select last_id::float8 as id, encode(substring(hashes from octet_length(hashes) - 31), 'hex') as hash,
        to_char(sealed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as sealed_at
      from audit_seals order by audit_seals.last_id desc limit 1`,
  )
  if (!last) return
  const { id, hash, sealed_at } = last
  const body = Buffer.from(JSON.stringify({ id, hash, sealed_at }))
  await store.put(auditHeadKey(phase, id), body, { contentType: 'application/json' }).catch((error: unknown) => {
    if (!(error instanceof ObjectExistsError)) throw error
  })
}

/** All heads that were written. */
export async function* heads({ store, phase }: Omit<Resources, 'db'>): AsyncGenerator<Head> {
  for await (const { key } of store.list(auditHeadPrefix(phase))) {
    const { id, hash, sealed_at } = Value.Parse(Written, JSON.parse(await text(await store.get(key))))
    yield { id, hash, sealedAt: new Date(sealed_at) }
  }
}
