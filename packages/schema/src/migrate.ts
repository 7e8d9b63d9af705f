import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator'
import postgres from 'postgres'
import { locks } from './locks.ts'
import { migrateQueue } from './queue-migrations.ts'
import { grantRoles, type RoleUrls } from './roles.ts'
import { tlsOf } from './tls.ts'

export { type Role, rights, roles } from './rights.ts'
export type { RoleUrls } from './roles.ts'

/** Cases that one statement reads; it locks those that it changes for some milliseconds. */
const casesAtOnce = 1_000

/**
 * Makes the searched text of cases anew where `search_fold` has changed since it was stored: PostgreSQL generates it when
 * a column that it is made of is set.
 */
async function foldCases(client: postgres.Sql): Promise<void> {
  for (let last = 0; ; ) {
    const [batch] = await client<{ last: number | null }[]>`
      with batch as (select id from cases where id > ${last} order by id limit ${casesAtOnce}),
      changed as (
        update cases set given_name = given_name
        where id in (select id from batch)
          and search_text is distinct from case_search_text(given_name, family_name, description)
      )
      select max(id) as last from batch`
    if (typeof batch?.last !== 'number') return
    last = batch.last
  }
}

/**
 * Brings the database at this address up to date: our tables, then BullMQ's own schema, then the roles and rights of the processes, if
 * their URLs are given, and how long the audit trail is kept. It may be repeated, and run by several processes at once: it holds the lock `migrate`, so that the others
 * wait and then have nothing to do.
 */
export async function migrate(address: string, roleUrls?: RoleUrls, auditYears?: number): Promise<void> {
  const { url, ssl } = tlsOf(address)
  const client = postgres(url, { ssl, max: 1, onnotice: () => {}, connect_timeout: 10 })
  try {
    const db = drizzle(client)
    await db.execute(sql`select pg_advisory_lock(${locks.migrate})`)
    await applyMigrations(db, { migrationsFolder: fileURLToPath(new URL('../migrations', import.meta.url)) })
    await db.execute(sql`select make_audit_partitions()`)
    await migrateQueue(address)
    await foldCases(client)
    if (auditYears) await db.execute(sql`update installation set audit_years = ${auditYears}`)
    if (roleUrls) await grantRoles(client, address, roleUrls)
  } finally {
    await client.end({ timeout: 5 })
  }
}
