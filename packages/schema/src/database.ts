import type { ExtractTablesWithRelations } from 'drizzle-orm'
import { drizzle, type PostgresJsDatabase, type PostgresJsTransaction } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import { createHeavy, type Heavy } from './heavy.ts'
import { traced, tracedTransaction } from './statement-spans.ts'
import { tlsOf } from './tls.ts'

export type Pool = PostgresJsDatabase & { $client: postgres.Sql }
/** The pool of a process, and that of its heavy statements. */
export type Database = Pool & { heavy: Heavy<Pool> }
export type Transaction = PostgresJsTransaction<
  Record<string, never>,
  ExtractTablesWithRelations<Record<string, never>>
>

export interface DatabaseSettings {
  /** postgres:// URL. */
  url: string
  /** Most connections of this process, without those for heavy statements. */
  max: number
  /** Shown in pg_stat_activity. */
  applicationName: string
}

/** `db` is for queries, `sql` for LISTEN; `close` ends both pools within five seconds. */
export interface OpenDatabase {
  db: Database
  sql: postgres.Sql
  close(): Promise<void>
}

/** Statements with more parameters are not prepared: IN lists of every length would fill the server's cache. */
const mostPreparedParameters = 16
/** Connections for heavy statements; they are opened when needed. */
const heavyConnections = 8
/** Longest time of a statement, and of a heavy one, since others wait for its connection. */
const [statementMs, heavyStatementMs] = [15_000, 5_000]

/**
 * A pool that connects on first use. A statement ends after 15 s, an idle transaction after 30 s, and a connection whose
 * response is 20 s late is closed (CONNECTION_CLOSED), because the network may have lost it. Heavy statements have
 * connections of their own and end after 5 s.
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

const poolOver = (sql: postgres.Sql): Pool => drizzle(sql, { casing: 'snake_case' })

/**
 * Prepares the statements that drizzle passes as text. The driver prepares only its own templates; all others are parsed
 * and planned each time, after another round trip for their types. Each gets a span, if it is part of a trace.
 */
function keepPrepared<Client extends postgres.ISql>(client: Client): Client {
  const { unsafe } = client
  client.unsafe = (text, values = [], options = {}) => {
    const prepare = values.length > 0 && values.length <= mostPreparedParameters
    return traced(text, unsafe(text, values, { ...options, prepare }))
  }
  return client
}

function connect(address: string, max: number, applicationName: string, longestMs: number): postgres.Sql {
  const { url, ssl } = tlsOf(address)
  const sql = postgres(url, {
    ssl,
    max,
    connect_timeout: 5,
    answer_timeout: 20,
    idle_timeout: 60,
    // The default pauses grow to 20 s. For so long every request after a restart of the server would fail.
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
      tracedTransaction(() => begin((transaction) => work(keepPrepared(transaction)))),
  })
}
