import type { ExtractTablesWithRelations } from 'drizzle-orm'
import { drizzle, type PostgresJsDatabase, type PostgresJsTransaction } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import { createHeavy, type Heavy } from './heavy.ts'
import * as tables from './tables.ts'

/** Connections on which any statement may run. */
export type Pool = PostgresJsDatabase<typeof tables> & { $client: postgres.Sql }
/** The connections of a process, and those of its heavy statements. */
export type Database = Pool & { heavy: Heavy<Pool> }
export type Transaction = PostgresJsTransaction<typeof tables, ExtractTablesWithRelations<typeof tables>>

export interface DatabaseSettings {
  /** postgres:// URL. */
  url: string
  /** Most connections this process may hold, those for heavy statements aside. */
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
/** Connections for heavy statements, beside the others; they are opened by the first that need them. */
const heavyConnections = 8
/** Longest time, in milliseconds, that a statement may run, and that a heavy one may: others wait for its connection. */
const [statementMs, heavyStatementMs] = [15_000, 5_000]

/**
 * A pool that connects on first use. Nothing outward waits for ever: a statement ends after 15 s, an abandoned
 * transaction after 30 s, and a connection that owes an answer is given up after 20 s of silence, for the network may
 * have lost it without a word (fails as CONNECTION_CLOSED). Heavy statements have connections of their own and end
 * after 5 s.
 */
export function openDatabase({ url, max, applicationName }: DatabaseSettings): OpenDatabase {
  const sql = connect(url, max, applicationName, statementMs)
  const heavySql = connect(url, heavyConnections, applicationName, heavyStatementMs)
  const heavy = createHeavy(poolOver(heavySql), heavyConnections)
  return {
    db: Object.assign(poolOver(sql), { heavy }),
    sql,
    async close() {
      await Promise.all([sql.end({ timeout: 5 }), heavySql.end({ timeout: 5 })])
    },
  }
}

const poolOver = (sql: postgres.Sql): Pool => drizzle(sql, { schema: tables, casing: 'snake_case' })

/**
 * Keeps the statements that drizzle hands over as text prepared on their connection, which the driver does for its own
 * templates only: they would be parsed and planned anew each time, after a round trip of their own to learn the types.
 */
function keepPrepared<Client extends postgres.ISql>(client: Client): Client {
  const { unsafe } = client
  client.unsafe = (text, values = [], options = {}) =>
    unsafe(text, values, { ...options, prepare: values.length > 0 && values.length <= mostKept })
  return client
}

function connect(url: string, max: number, applicationName: string, longestMs: number): postgres.Sql {
  const sql = postgres(url, {
    max,
    connect_timeout: 5,
    answer_timeout: 20,
    idle_timeout: 60,
    // The default pauses grow to 20 s, in which every request after a restart of the server would fail.
    backoff: () => 0.5 + Math.random() / 2,
    onnotice: () => {},
    connection: {
      application_name: applicationName,
      statement_timeout: longestMs,
      idle_in_transaction_session_timeout: 30_000,
    },
  })
  const { begin } = sql
  return Object.assign(keepPrepared(sql), {
    begin: <T>(work: (transaction: postgres.TransactionSql) => T | Promise<T>) =>
      begin((transaction) => work(keepPrepared(transaction))),
  })
}
