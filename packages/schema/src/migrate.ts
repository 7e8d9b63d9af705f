import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator'
import postgres from 'postgres'
import { locks } from './locks.ts'
import { migrateQueue } from './queue-migrations.ts'

/**
 * Brings the database at `url` up to date: our tables, then BullMQ's own schema. It may be repeated, and run by several
 * processes at once: it holds the lock `migrate`, so that the others wait and then have nothing to do.
 */
export async function migrate(url: string): Promise<void> {
  const client = postgres(url, { max: 1, onnotice: () => {}, connect_timeout: 10 })
  try {
    const db = drizzle(client)
    await db.execute(sql`select pg_advisory_lock(${locks.migrate})`)
    await applyMigrations(db, { migrationsFolder: fileURLToPath(new URL('../migrations', import.meta.url)) })
    await migrateQueue(url)
  } finally {
    await client.end({ timeout: 5 })
  }
}
