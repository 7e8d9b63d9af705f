import { bigint, doublePrecision, index, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'

/** A process that runs, or has lately. It renews its row while it runs, and removes it when it is stopped. */
export const processes = pgTable('processes', {
  id: uuid().primaryKey(),
  /** Which program it is, such as `worker`. */
  kind: text().notNull(),
  /** The release, and the commit that it was built from. */
  version: text().notNull(),
  commit: text().notNull(),
  startedAt: instant().notNull().defaultNow(),
  seenAt: instant().notNull().defaultNow(),
  /** Of the disk of a worker's scratch files. */
  scratchFreeBytes: bigint({ mode: 'number' }),
  scratchBytes: bigint({ mode: 'number' }),
})

/** What chunks were encoded in the last hours, for the operator's view of the pace. */
export const recentEncodes = pgTable(
  'recent_encodes',
  {
    id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    at: instant().notNull().defaultNow(),
    /** Seconds of a recording. */
    seconds: doublePrecision().notNull(),
  },
  (t) => [index('recent_encodes_at_index').on(t.at)],
)
