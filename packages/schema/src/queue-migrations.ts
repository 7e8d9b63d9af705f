import { runMigrations } from 'bullmq'
import { Client } from 'pg'
import { tlsOf } from './tls.ts'

/** Applies BullMQ's own PostgreSQL schema to the database at this address; it takes its own lock and is safe to repeat. */
export async function migrateQueue(address: string): Promise<void> {
  const { url, ssl } = tlsOf(address)
  const client = new Client({ connectionString: url, ssl, connectionTimeoutMillis: 10_000 })
  await client.connect()
  try {
    await runMigrations(client)
  } finally {
    await client.end()
  }
}
