import { runMigrations } from 'bullmq'
import { Client } from 'pg'

/** Applies BullMQ's own PostgreSQL schema to the database at `url`; it takes its own lock and is safe to repeat. */
export async function migrateQueue(url: string): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  await client.connect()
  try {
    await runMigrations(client)
  } finally {
    await client.end()
  }
}
