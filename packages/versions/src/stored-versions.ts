import type { reportVersions, scriptVersions, sessions } from '@playtherapy/schema'
import { and, eq, lt, type SQL } from 'drizzle-orm'

/** Which stored versions of a session: the current one, one by its number, those before a number, or all. */
export type WhichVersions = 'current' | number | { before: number } | undefined

/** Most versions that one answer lists. */
export const mostVersions = 1_000

/** The condition that a row is one of these stored versions; `current` is the session's pointer to the current one. */
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
