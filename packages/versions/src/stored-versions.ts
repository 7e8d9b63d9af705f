import type { reportVersions, scriptVersions, sessions } from '@playtherapy/schema'
import { and, eq, lt, type SQL } from 'drizzle-orm'

/** The current version, one by its number, those before a number, or all. */
export type WhichVersions = 'current' | number | { before: number } | undefined

/** Most versions in one response. */
export const mostVersions = 1_000

/** The condition that a row is one of these versions, and stored; `current` is the session's pointer. */
export const storedVersions = (
  table: typeof scriptVersions | typeof reportVersions,
  current: typeof sessions.scriptVersionId | typeof sessions.reportVersionId,
  which: WhichVersions,
): SQL | undefined =>
  and(
    eq(table.state, 'stored'),
    which === 'current' ? eq(table.id, current) : undefined,
    typeof which === 'number' ? eq(table.version, which) : undefined,
    typeof which === 'object' ? lt(table.version, which.before) : undefined,
  )
