import type { Database, Pool } from '@playtherapy/schema'

/** Statements for all that a therapist has there, and for what a keyword finds in it. */
interface Searchable<Statements> {
  all: Statements
  found: Statements
}

/**
 * Asks with a keyword, or without one. `undefined` as text is what the client's proxy sends for a missing keyword. A
 * search is a heavy statement: it reads all that the therapist has there. Rejects as `Database.heavy` does.
 */
export function ask<Statements, Answer>(
  db: Database,
  { userId, keyword }: { userId: number; keyword: string | undefined },
  { all, found }: Searchable<Statements>,
  work: (statements: Statements, keyword: string | null, pool: Pool) => Promise<Answer>,
): Promise<Answer> {
  if (!keyword || keyword === 'undefined') return work(all, null, db)
  return db.heavy(userId, (pool) => work(found, keyword, pool))
}
