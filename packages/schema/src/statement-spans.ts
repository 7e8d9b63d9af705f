import { beginSpan, failureOf, inSpan, isTraced } from '@playtherapy/tracing'
import { getTableName, is } from 'drizzle-orm'
import { PgTable } from 'drizzle-orm/pg-core'
import * as encodeTables from './encode-tables.ts'
import * as exportTables from './export-tables.ts'
import * as operationsTables from './operations-tables.ts'
import * as mainTables from './tables.ts'
import * as webhookTables from './webhook-tables.ts'

const system = { 'db.system.name': 'postgresql' }

/** The only words of a statement, beside its kind, that may be in a span. */
const tableNames = new Set([
  'audit_events',
  ...Object.values({ ...mainTables, ...encodeTables, ...exportTables, ...operationsTables, ...webhookTables }).flatMap(
    (value: unknown) => (is(value, PgTable) ? [getTableName(value)] : []),
  ),
])

/** What a statement changes, and what it reads. */
const [changes, reads] = [/\b(insert into|update|delete from)\s+"?(\w+)/gi, /\b(from)\s+"?(\w+)/gi]

/** The kind of a statement and its first table: what it changes, or else what it reads. */
function kindOf(text: string): { operation: string; table?: string } {
  for (const pattern of [changes, reads]) {
    for (const [, words = '', table = ''] of text.matchAll(pattern)) {
      const [operation = ''] = words.toLowerCase().split(' ')
      if (tableNames.has(table)) return { operation: operation === 'from' ? 'select' : operation, table }
    }
  }
  const [word = 'statement'] = /^(select|set|lock)\b/.exec(text.trimStart().toLowerCase()) ?? []
  return { operation: word }
}

/** Kinds by the text of their statement. Lists of every length make texts of their own, so the map is emptied when it is full. */
const kinds = new Map<string, ReturnType<typeof kindOf>>()
const mostKinds = 1_000

/** Gives a statement a span that ends with it, if there is a current one. It holds the kind and the table, no text and no value. */
export function traced<Query extends Promise<unknown>>(text: string, query: Query): Query {
  if (!isTraced()) return query
  const kind = kinds.get(text) ?? kindOf(text)
  if (kinds.size >= mostKinds) kinds.clear()
  kinds.set(text, kind)
  const { operation, table } = kind
  const of = table ? { 'db.collection.name': table } : {}
  const name = table ? `${operation} ${table}` : operation
  const span = beginSpan({ name, kind: 'client', attributes: { ...system, 'db.operation.name': operation, ...of } })
  // The driver's own `then` sends the statement, and its caller may not have chosen yet how rows are returned.
  Promise.prototype.then.call(
    query,
    () => span?.end(),
    (error: unknown) => span?.end(failureOf(error)),
  )
  return query
}

/** Gives a transaction a span, which the wait for a connection, `BEGIN` and `COMMIT` are part of. */
export const tracedTransaction = <T>(transaction: () => Promise<T>): Promise<T> =>
  inSpan({ name: 'transaction', kind: 'client', attributes: system }, transaction)
