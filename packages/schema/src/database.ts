import type { ExtractTablesWithRelations } from 'drizzle-orm'
import { drizzle, type PostgresJsDatabase, type PostgresJsTransaction } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import * as tables from './tables.ts'

export type Database = PostgresJsDatabase<typeof tables> & { $client: postgres.Sql }
export type Transaction = PostgresJsTransaction<typeof tables, ExtractTablesWithRelations<typeof tables>>

export interface DatabaseSettings {
  /** postgres:// URL. */
  url: string
  /** Most connections this process may hold (house.md: services 8, workers 4). */
  max: number
  /** Shown in pg_stat_activity. */
  applicationName: string
}

/** An open pool: `db` for queries, `sql` for LISTEN and the like, `close` ends it within five seconds. */
export interface OpenDatabase {
  db: Database
  sql: postgres.Sql
  close(): Promise<void>
}

/** Most parameters of a statement that a connection keeps prepared: a list in it comes in too many lengths. */
const mostKept = 16

/**
 * A pool that connects on first use. Nothing outward waits for ever: a statement ends after 15 s, an abandoned
 * transaction after 30 s, and a connection that owes an answer is given up after 20 s of silence, for the network may
 * have lost it without a word (fails as CONNECTION_CLOSED).
 */
export function openDatabase({ url, max, applicationName }: DatabaseSettings): OpenDatabase {
  const sql = postgres(url, {
    max,
    connect_timeout: 5,
    answer_timeout: 20,
    // Drizzle hands over text, in transactions too. It would be parsed and planned anew each time, after a round trip of
    // its own to learn the types.
    prepare_unsafe: mostKept,
    idle_timeout: 60,
    // The default pauses grow to 20 s, in which every request after a restart of the server would fail.
    backoff: () => 0.5 + Math.random() / 2,
    onnotice: () => {},
    connection: {
      application_name: applicationName,
      statement_timeout: 15_000,
      idle_in_transaction_session_timeout: 30_000,
    },
  })
  return { db: drizzle(sql, { schema: tables, casing: 'snake_case' }), sql, close: () => sql.end({ timeout: 5 }) }
}
