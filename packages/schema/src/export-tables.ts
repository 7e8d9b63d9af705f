import { sql } from 'drizzle-orm'
import { bigint, boolean, check, index, integer, pgTable, smallint, text } from 'drizzle-orm/pg-core'
import { id, instant } from './columns.ts'
import { cases, State } from './tables.ts'

/**
 * The export of a case: one file with all that is held of it. A case has one at most; a new one replaces one that has ended. It is
 * deleted with the case, and when a session or a recording of the case is, because the file has that, too.
 */
export const caseExports = pgTable(
  'case_exports',
  {
    id: id(),
    caseId: integer()
      .notNull()
      .unique('case_exports_case_id_unique')
      .references(() => cases.id, { onDelete: 'cascade' }),
    /** READY, START, DONE or ERROR. */
    stateId: smallint().notNull().default(State.READY),
    /** Whether originals and renditions are left out. */
    withoutMedia: boolean().notNull(),
    /** Whether the names of the case are replaced by codes. */
    pseudonyms: boolean().notNull(),
    /** Attempts so far; only the attempt with this number may commit. */
    attempt: integer().notNull().default(0),
    /** Percent. */
    progress: smallint().notNull().default(0),
    /** Object key of the file of the last attempt, without its first folder. */
    path: text().unique('case_exports_path_unique'),
    size: bigint({ mode: 'number' }),
    etag: text(),
    /** Objects that were not in the store any more, and are not in the file. */
    missing: integer().notNull().default(0),
    failure: text(),
    /** While an attempt runs: it counts as dead after this time, unless it renews the lease. */
    leaseUntil: instant(),
    createdAt: instant().notNull().defaultNow(),
    finishedAt: instant(),
    /** Row and file are removed after this time; null until the export has ended. */
    expiresAt: instant(),
  },
  (t) => [
    index('case_exports_expires_at_index').on(t.expiresAt),
    check('case_exports_state_id_known', sql`${t.stateId} between 1 and 4`),
    check('case_exports_progress_percent', sql`${t.progress} between 0 and 100`),
    check(
      'case_exports_done_is_described',
      sql`${t.stateId} <> 3 or num_nulls(${t.path}, ${t.size}, ${t.etag}, ${t.finishedAt}, ${t.expiresAt}) = 0`,
    ),
    check('case_exports_failed_says_why', sql`(${t.stateId} = 4) = (${t.failure} is not null)`),
  ],
)
