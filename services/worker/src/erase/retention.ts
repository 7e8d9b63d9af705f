import { cases, type Database, deleteRecordings, isRecording, sessions, videos } from '@playtherapy/schema'
import { and, asc, eq, exists, gt, lt, sql } from 'drizzle-orm'

/** Sessions that are looked up at once. */
const batchRows = 100

/** `case_state_id` of a case that is finished (services/contract.md, "Cases"). */
const finished = 3

/** How long ago, in words of a command: a number of years, months or days. */
export interface Age {
  years: number
  months: number
  days: number
}

/** Reads `5y`, `18m` or `400d`; undefined for any other text, and for nothing. */
export function ageFrom(text: string): Age | undefined {
  const [, number, unit] = /^([1-9]\d{0,3})([ymd])$/.exec(text) ?? []
  const of = (name: string) => (unit === name ? Number(number) : 0)
  return number === undefined ? undefined : { years: of('y'), months: of('m'), days: of('d') }
}

/**
 * Matches cases that have been finished for so long. A case has no other time of that than that of its last change, which is
 * the same or later: so nothing is erased too early.
 */
const isFinished = ({ years, months, days }: Age) =>
  and(
    eq(cases.caseStateId, finished),
    lt(cases.updatedAt, sql`now() - make_interval(years => ${years}, months => ${months}, days => ${days})`),
  )

/** A session of such a case, with recordings. */
export interface Expired {
  userId: number
  caseId: number
  sessionId: number
  recordings: number
}

/** Finds all sessions with recordings whose cases have been finished for so long, in the order of their ids. */
export async function* findExpired(db: Database, age: Age): AsyncGenerator<Expired> {
  const recordings = and(isRecording, eq(videos.sessionId, sessions.id))
  let last = 0
  for (;;) {
    const rows = await db
      .select({
        userId: cases.userId,
        caseId: cases.id,
        sessionId: sessions.id,
        recordings: sql<number>`(select count(*)::int from ${videos} where ${recordings})`,
      })
      .from(sessions)
      .innerJoin(cases, eq(cases.id, sessions.caseId))
      .where(
        and(
          isFinished(age),
          gt(sessions.id, last),
          exists(db.select({ id: videos.id }).from(videos).where(recordings)),
        ),
      )
      .orderBy(asc(sessions.id))
      .limit(batchRows)
    yield* rows
    const newest = rows.at(-1)
    if (!newest) return
    last = newest.sessionId
  }
}

/**
 * Deletes the recordings of one session, unless its case was changed meanwhile, and announces their erasures. It may be
 * interrupted between two sessions. Locks the case, for share, and the session.
 */
export const expire = (db: Database, { userId, caseId, sessionId }: Expired, age: Age) =>
  db.transaction(async (tx) => {
    const [still] = await tx
      .select({ id: cases.id })
      .from(cases)
      .where(and(eq(cases.id, caseId), eq(cases.userId, userId), isFinished(age)))
      .for('share')
    return still ? deleteRecordings(tx, { userId, caseId, sessionId }, { askedBy: 'retention' }) : []
  })
