import { fillPlaceholders, type SQL } from 'drizzle-orm'
import { PgDialect } from 'drizzle-orm/pg-core'
import type { Database } from './database.ts'

type Value = string | number | null

const dialect = new PgDialect({ casing: 'snake_case' })
const isValue = (value: unknown): value is Value =>
  value === null || typeof value === 'string' || typeof value === 'number'

/**
 * A statement that is asked often: its text is made here, once, with `sql.placeholder`s for what differs from one time
 * to the next. Making the text anew takes Node longer than anything else about a short answer.
 */
export function statement<Row extends Record<string, unknown>>(
  { $client }: Database,
  query: SQL,
): (values: Record<string, Value>) => Promise<Row[]> {
  const { sql: text, params } = dialect.sqlToQuery(query)
  return async (values) => {
    const filled = fillPlaceholders(params, values).filter(isValue)
    if (filled.length !== params.length) throw new Error('a statement with a value of another kind')
    return $client.unsafe<Row[]>(text, filled)
  }
}
