import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator'
import postgres from 'postgres'
import { locks } from './locks.ts'
import { databaseCode } from './outage.ts'
import { migrateQueue } from './queue-migrations.ts'
import { grantRoles, type Release, type RoleUrls } from './roles.ts'
import { tlsOf } from './tls.ts'

export { type Role, rights, roles } from './rights.ts'
export type { RoleUrls } from './roles.ts'

/** Cases that one statement reads; it locks those that it changes for some milliseconds. */
const casesAtOnce = 1_000

/**
 * Makes the searched text of cases anew where `search_fold` has changed since it was stored: PostgreSQL generates it when
 * a column that it is made of is set. A million cases take a minute, so they are looked through only when the functions or the server
 * are others than the last time.
 */
async function foldCases(client: postgres.Sql): Promise<void> {
  const [known] = await client<{ digest: string; is_same: boolean }[]>`
    select digest, folded_by is not distinct from digest as is_same
    from installation, (
      select md5(concat(version(), string_agg(prosrc, ' ' order by proname))) as digest
      from pg_proc where oid in ('search_fold'::regproc, 'case_search_text'::regproc)
    ) as today`
  if (!known || known.is_same) return
  for (let last = 0; ; ) {
    const [batch] = await client<{ last: number | null }[]>`
      with batch as (select id from cases where id > ${last} order by id limit ${casesAtOnce}),
      changed as (
        update cases set given_name = given_name
        where id in (select id from batch)
          and search_text is distinct from case_search_text(given_name, family_name, description)
      )
      select max(id) as last from batch`
    if (typeof batch?.last !== 'number') break
    last = batch.last
  }
  await client`update installation set folded_by = ${known.digest}`
}

/** For how long an upgrade asks for its locks again, and the pause before it does. */
const [lockSeconds, pauseMs] = [30, 200]

/**
 * Applies the migrations that are missing, in one transaction. Requests lock the same tables in more than one order, so that no order of
 * ours is safe beside them. A migration waits for a lock for half a second, which is less than the second after which the server ends
 * one of those that wait for each other: so it is the upgrade that gives way. All of it begins again then.
 */
async function migrateTables(db: PostgresJsDatabase): Promise<void> {
  const migrationsFolder = fileURLToPath(new URL('../migrations', import.meta.url))
  for (const end = Date.now() + lockSeconds * 1_000; ; await sleep(pauseMs)) {
    try {
      return await applyMigrations(db, { migrationsFolder })
    } catch (error) {
      // lock_not_available, deadlock_detected
      if (!['55P03', '40P01'].includes(databaseCode(error) ?? '') || Date.now() > end) throw error
    }
  }
}

interface Options {
  /** How long the audit trail is kept; as before by default. */
  auditYears?: number
  /** Told when that is less than before, which was so many years. */
  onShorter?: (before: number) => void
  /** The release whose tables and rights these are. */
  release?: Release
}

/**
 * Brings the database at this address up to date: our tables, then BullMQ's own schema, then the roles and rights of the processes, if
 * their URLs are given. It may be repeated, and run by several processes at once: it holds the lock `migrate`, so that the others
 * wait and then have nothing to do. Returns false where roles keep rights that this release does not need, because processes run that may
 * be of another one.
 */
export async function migrate(
  address: string,
  roleUrls?: RoleUrls,
  { auditYears, onShorter, release = { version: '', commit: '' } }: Options = {},
): Promise<boolean> {
  const { url, ssl } = tlsOf(address)
  const client = postgres(url, { ssl, max: 1, onnotice: () => {}, connect_timeout: 10 })
  try {
    const db = drizzle(client)
    await db.execute(sql`select pg_advisory_lock(${locks.migrate})`)
    await migrateTables(db)
    await db.execute(sql`select make_audit_partitions()`)
    await migrateQueue(address)
    await foldCases(client)
    if (auditYears) {
      const [known] = await client<{ audit_years: number }[]>`select audit_years from installation`
      await client`update installation set audit_years = ${auditYears}`
      if (known && known.audit_years > auditYears) onShorter?.(known.audit_years)
    }
    return roleUrls ? await grantRoles(client, address, roleUrls, release) : true
  } finally {
    await client.end({ timeout: 5 })
  }
}
