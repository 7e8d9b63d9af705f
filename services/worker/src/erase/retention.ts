import {
  cases,
  type Database,
  deleteRecordings,
  isRecording,
  reportVersions,
  scriptVersions,
  sessions,
  videos,
} from '@playtherapy/schema'
import { and, asc, eq, exists, gt, lt, type SQL, sql } from 'drizzle-orm'

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

/** Reads `5y`, `18m` or `400d`; undefined for any other text, for nothing, and for 1,000 years: the database counts back some 6,700. */
export function ageFrom(text: string): Age | undefined {
  const [, number, unit] = /^([1-9]\d{0,3})([ymd])$/.exec(text) ?? []
  const of = (name: string) => (unit === name ? Number(number) : 0)
  return number === undefined || of('y') > 999 ? undefined : { years: of('y'), months: of('m'), days: of('d') }
}

/**
 * Matches cases that have been finished for so long, and in which nothing came since: no session, upload, presigned URL, script or
 * report. A case has no other time of its end than that of its last change, which is the same or later: so nothing is erased too
 * early. An upload under way is something new however long it takes.
 */
function isAtRest({ years, months, days }: Age): SQL | undefined {
  const limit = sql`now() - make_interval(years => ${years}, months => ${months}, days => ${days})`
  return and(
    eq(cases.caseStateId, finished),
    lt(cases.updatedAt, limit),
    sql`not exists (select from ${sessions} as s where s.case_id = ${cases.id} and (
      s.created_at >= ${limit}
      or exists (select from ${videos} as v where v.session_id = s.id
        and (v.state = 'receiving' or greatest(v.created_at, v.stored_at) >= ${limit}))
      or exists (select from ${scriptVersions} as v where v.session_id = s.id and v.created_at >= ${limit})
      or exists (select from ${reportVersions} as v where v.session_id = s.id and v.created_at >= ${limit})))`,
  )
}

/** A session of such a case, with recordings. */
export interface Expired {
  userId: number
  caseId: number
  sessionId: number
  recordings: number
}

/** Finds all sessions with recordings whose cases have been finished and unused for so long, in the order of their ids. */
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
        and(isAtRest(age), gt(sessions.id, last), exists(db.select({ id: videos.id }).from(videos).where(recordings))),
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
 * Deletes the recordings of one session, unless its case was used meanwhile, and announces their erasures. It may be
 * interrupted between two sessions. Locks the case, for share, and the session, for update: an upload that begins waits, and
 * one that has begun is seen.
 */
export const expire = (db: Database, { userId, caseId, sessionId }: Expired, age: Age) =>
  db.transaction(async (tx) => {
    await tx.select({ id: cases.id }).from(cases).where(eq(cases.id, caseId)).for('share')
    await tx.select({ id: sessions.id }).from(sessions).where(eq(sessions.id, sessionId)).for('update')
    const [still] = await tx
      .select({ id: cases.id })
      .from(cases)
      .where(and(eq(cases.id, caseId), eq(cases.userId, userId), isAtRest(age)))
    return still ? deleteRecordings(tx, { userId, caseId, sessionId }, { askedBy: 'retention' }) : []
  })
