import { sql } from 'drizzle-orm'
import type { Database } from './database.ts'

/** Rows that take some hundred kilobytes, which is more than the statement below may hold in memory. */
const rows = 20_000

/**
 * Whether the database can do its work, for readiness: it answers, takes writes, and its disk takes more bytes. A
 * temporary file tells the last, and leaves no row, no page of a table and no journal behind. Rejects when it cannot.
 */
export async function checkDatabase(db: Database): Promise<void> {
  await db.transaction(async (transaction) => {
    await transaction.execute(sql`set local work_mem = '64kB'`)
    const [row] = await transaction.execute<{ read_only: string }>(
      sql`select current_setting('transaction_read_only') as read_only, count(*) from generate_series(1, ${rows}::int)`,
    )
    if (row?.read_only !== 'off') throw new Error('the database takes no writes')
  })
}
