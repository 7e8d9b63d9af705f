import { sql } from 'drizzle-orm'
import journal from '../migrations/meta/_journal.json' with { type: 'json' }
import type { Database } from './database.ts'

/** Their rows have a few hundred kilobytes, more than the statement below may hold in memory. */
const sampleRows = 20_000

/** The newest of our migrations, as drizzle names it in its table. A newer release may have added others. */
const newestMigration = Math.max(...journal.entries.map(({ when }) => when))

/**
 * For readiness: rejects unless the database responds, has all our migrations, accepts writes, and has room on its disk. A
 * temporary file shows the last, without a row, a page of a table or a WAL record.
 */
export async function checkDatabase(db: Database): Promise<void> {
  await db.transaction(async (transaction) => {
    await transaction.execute(sql`set local work_mem = '64kB'`)
    const [row] = await transaction.execute<{ read_only: string; migrated: boolean }>(
      sql`select current_setting('transaction_read_only') as read_only, count(*),
        (select max(created_at) >= ${newestMigration}::bigint from drizzle.__drizzle_migrations) as migrated
        from generate_series(1, ${sampleRows}::int)`,
    )
    if (!row?.migrated) throw new Error('the database is not migrated: run migrate')
    if (row.read_only !== 'off') throw new Error('the database is read-only')
  })
}
