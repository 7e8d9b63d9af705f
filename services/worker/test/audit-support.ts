import type { ObjectStore } from '@playtherapy/object-store'
import { type storeBackends, testDatabase, testStore } from '@playtherapy/testing'
import type { Test } from 'tap'
import { heads, writeHead } from '../src/audit/head.ts'
import { createSealer } from '../src/audit/seal.ts'
import { verify } from '../src/audit/verify.ts'

type Backend = (typeof storeBackends)[number]

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

/** A database with so many events, a function that seals them, and what a verification says. */
export async function trail(t: Test, count = 0, backend: Backend | ObjectStore = 'file') {
  const { db: owner, sql, as } = await testDatabase(t)
  const db = as('worker')
  const store = typeof backend === 'string' ? await testStore(t, backend) : backend
  const phase = 'LOCAL' as const
  const add = (count: number) =>
    sql`insert into audit_events (actor, user_id, action, kind, case_id, address, request_id)
      select 'therapist', 7, 'read', 'case', number, '192.0.2.7', 'r' from generate_series(1, ${count}) as number`
  await add(count)
  const seal = createSealer(db)
  const check = async () => {
    const faults: string[] = []
    const run = verify(db, heads({ store, phase }))
    for (;;) {
      const { done, value } = await run.next()
      if (done) {
        const { foreign, lastId, ...counts } = value
        return { ...counts, faults }
      }
      faults.push(`${value.id} ${value.fault}`)
    }
  }
  /** Does as a thief with all rights on the database. */
  const tamper = async (statement: string) => {
    await sql.unsafe(`set session_replication_role = replica; ${statement}; set session_replication_role = origin`)
  }
  return { db, owner, sql, store, phase, add, seal, check, tamper, publish: () => writeHead({ db, store, phase }) }
}
