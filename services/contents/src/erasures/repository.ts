import { type Database, erasures, lastSweepSeconds, receiptKeys } from '@playtherapy/schema'
import { and, asc, desc, eq, lt, sql } from 'drizzle-orm'

/** Erasures on one page. */
const perPage = 100

const columns = {
  id: erasures.publicId,
  caseId: erasures.caseId,
  sessionId: erasures.sessionId,
  videoId: erasures.videoId,
  askedAt: erasures.createdAt,
  askedBy: erasures.askedBy,
  firstSweptAt: erasures.firstSweptAt,
  lastSweepDue: sql<Date>`${erasures.createdAt} + make_interval(secs => ${lastSweepSeconds})`.mapWith(
    erasures.createdAt,
  ),
  lastSweptAt: erasures.lastSweptAt,
  lockedUntil: erasures.lockedUntil,
}

/** Reads erasures, each call those of one therapist. They are this therapist's also when the case is deleted. */
export function erasureRepository(db: Database) {
  const own = (userId: number) => eq(erasures.userId, userId)
  return {
    /** A page of erasures, newest first, after the one with the public id `before`. */
    list(userId: number, before: string | undefined) {
      const last = db
        .select({ id: erasures.id })
        .from(erasures)
        .where(and(own(userId), eq(erasures.publicId, before ?? '')))
      return db
        .select(columns)
        .from(erasures)
        .where(and(own(userId), before === undefined ? undefined : lt(erasures.id, last)))
        .orderBy(desc(erasures.id))
        .limit(perPage)
    },

    /** One erasure with its receipt; undefined for one that does not exist, and another therapist's. `id` is a UUID. */
    async get(userId: number, id: string) {
      const [row] = await db
        .select({ ...columns, receipt: erasures.receipt })
        .from(erasures)
        .where(and(own(userId), eq(erasures.publicId, id)))
      return row
    },
  }
}

/** The public keys of receipts, the oldest first. */
export const publicKeys = (db: Database) =>
  db.select({ kid: receiptKeys.kid, x: receiptKeys.x }).from(receiptKeys).orderBy(asc(receiptKeys.createdAt))
