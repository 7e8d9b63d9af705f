import type { Database, Pool } from '@playtherapy/schema'

/** Statements that select all of a therapist's rows, and those that contain a keyword. */
interface Searchable<Statements> {
  all: Statements
  found: Statements
}

/**
 * Runs the statements for a keyword, or for none; the client's proxy sends the text `undefined` for none. A search is a
 * heavy statement, since it reads all of the therapist's rows. Rejects as `Database.heavy` does.
 */
export function withKeyword<Statements, Answer>(
  db: Database,
  { userId, keyword }: { userId: number; keyword: string | undefined },
  { all, found }: Searchable<Statements>,
  work: (statements: Statements, keyword: string | null, pool: Pool) => Promise<Answer>,
): Promise<Answer> {
  if (!keyword || keyword === 'undefined') return work(all, null, db)
  return db.heavy(userId, (pool) => work(found, keyword, pool))
}
