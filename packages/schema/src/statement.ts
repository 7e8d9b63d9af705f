import { fillPlaceholders, type SQL } from 'drizzle-orm'
import { PgDialect } from 'drizzle-orm/pg-core'
import type { Pool } from './database.ts'

type Value = string | number | null

const dialect = new PgDialect({ casing: 'snake_case' })
const isValue = (value: unknown): value is Value =>
  value === null || typeof value === 'string' || typeof value === 'number'

/**
 * A statement that is asked often: its text is made here, once, with `sql.placeholder`s for what differs from one time
 * to the next. Making the text anew takes Node longer than anything else about a short answer. It runs on the given pool
 * unless another one is named.
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
