import { sql } from 'drizzle-orm'
import type { Database } from './database.ts'

/** Their rows have a few hundred kilobytes, more than the statement below may hold in memory. */
const sampleRows = 20_000

/**
 * For readiness: rejects unless the database responds, accepts writes, and has room on its disk. A temporary file shows the
 * last, without a row, a page of a table or a WAL record.
 */
export async function checkDatabase(db: Database): Promise<void> {
  await db.transaction(async (transaction) => {
    await transaction.execute(sql`set local work_mem = '64kB'`)
    const [row] = await transaction.execute<{ read_only: string }>(
      sql`select current_setting('transaction_read_only') as read_only, count(*) from generate_series(1, ${sampleRows}::int)`,
    )
    if (row?.read_only !== 'off') throw new Error('the database is read-only')
  })
}
