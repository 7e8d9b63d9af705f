import { fillPlaceholders, type SQL } from 'drizzle-orm'
import { PgDialect } from 'drizzle-orm/pg-core'
import type { Pool } from './database.ts'

type Value = string | number | null

const dialect = new PgDialect({ casing: 'snake_case' })
const isValue = (value: unknown): value is Value =>
  value === null || typeof value === 'string' || typeof value === 'number'

/**
 * A prepared statement for frequent use: its text is built once, with `sql.placeholder`s for the values of each call,
 * because building the text is the slowest part of a short query. It runs on the pool `usual`, unless a call names another.
 */
export function statement<Row extends Record<string, unknown>>(
  usual: Pool,
  query: SQL,
): (values: Record<string, Value>, pool?: Pool) => Promise<Row[]> {
  const { sql: text, params } = dialect.sqlToQuery(query)
  return async (values, { $client } = usual) => {
    const filled = fillPlaceholders(params, values).filter(isValue)
    if (filled.length !== params.length) throw new Error('a statement with a value of another kind')
    return $client.unsafe<Row[]>(text, filled)
  }
}
