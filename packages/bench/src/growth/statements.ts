import postgres from 'postgres'

/** What a statement took each time on average. */
interface Cost {
  calls: number
  ms: number
  /** Pages of 8 KiB that it read, wherever they were. */
  pages: number
}

/** One statement on both databases. */
export interface Compared {
  statement: string
  small: Cost
  big: Cost
}

/** Server settings that {@link countStatements} needs. */
export const statementSettings = ['shared_preload_libraries=pg_stat_statements', 'pg_stat_statements.max=10000']

/** Counts from now on what each statement costs. Returns a function that compares those that ran on both databases. */
export async function countStatements(url: string, names: { small: string; big: string }) {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  await sql`create extension if not exists pg_stat_statements`
  await sql`select pg_stat_statements_reset()`
  return async (): Promise<Compared[]> => {
    const of = async (name: string) => {
      const rows = await sql<(Cost & { query: string })[]>`
        select query, sum(calls)::float8 as calls, (sum(total_exec_time) / sum(calls))::float8 as ms,
          (sum(shared_blks_hit + shared_blks_read) / sum(calls))::float8 as pages
        from pg_stat_statements where dbid = (select oid from pg_database where datname = ${name}) group by query`
      return new Map(rows.map(({ query, ...cost }) => [query, cost]))
    }
    const [small, big] = [await of(names.small), await of(names.big)]
    await sql.end()
    return [...big].flatMap(([statement, cost]) => {
      const other = small.get(statement)
      return other ? [{ statement, small: other, big: cost }] : []
    })
  }
}

/** Pages that a statement may read beyond half as many again: those of one level more of each index, and of older partitions. */
const morePages = 400

/** Whether a statement reads the more, the more there is. */
export const rising = ({ small, big }: Compared): boolean => big.pages > small.pages * 1.5 + morePages

/** Lists statements, those that read most first. */
export const inTable = (statements: Compared[]): string =>
  statements
    .toSorted((a, b) => b.big.pages - a.big.pages)
    .map(({ statement, small, big }) => {
      const costs = [small, big].map(({ pages, ms }) => `${pages.toFixed(0)} pages in ${ms.toFixed(1)} ms`)
      return `${costs.join(', then ')}: ${statement.replace(/\s+/g, ' ').slice(0, 200)}`
    })
    .join('\n')
