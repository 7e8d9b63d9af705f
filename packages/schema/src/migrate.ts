import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator'
import postgres from 'postgres'
import { migrateQueue } from './queue-migrations.ts'

/** Any constant will do; it only has to be the same for everybody who migrates. */
const lockId = 20_261_123

/**
 * Brings the database at `url` up to date: our tables, then BullMQ's own schema. Safe to run twice and by several
 * processes at once: an advisory lock, held by one session for the whole run, lets the others wait and find it done.
 */
export async function migrate(url: string): Promise<void> {
  const client = postgres(url, { max: 1, onnotice: () => {}, connect_timeout: 10 })
  try {
    const db = drizzle(client)
    await db.execute(sql`select pg_advisory_lock(${lockId})`)
    await applyMigrations(db, { migrationsFolder: fileURLToPath(new URL('../migrations', import.meta.url)) })
    await migrateQueue(url)
  } finally {
    await client.end({ timeout: 5 })
  }
}
