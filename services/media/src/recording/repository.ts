import {
  type Cause,
  type Database,
  deleteRecordings,
  newestRecording,
  ownSession,
  type SessionOfCaller,
  sessions,
  statement,
} from '@playtherapy/schema'
import type { VideoState } from '@playtherapy/service-kit'
import { sql } from 'drizzle-orm'
import type { Static } from 'typebox'

type StateRow = Static<typeof VideoState>

/** Returns a function that selects the newest recording of the caller's session, by a prepared statement. */
export function findState(db: Database) {
  const { placeholder } = sql
  const caller = { userId: placeholder('userId'), caseId: placeholder('caseId'), sessionId: placeholder('sessionId') }
  const find = statement<StateRow>(
    db,
    sql`select recording.* from ${sessions} cross join lateral ${newestRecording(sessions.id)} as recording
      where ${ownSession(caller)}`,
  )
  return async ({ userId, caseId, sessionId }: SessionOfCaller): Promise<StateRow | undefined> => {
    const [row] = await find({ userId, caseId, sessionId })
    return row
  }
}

/** Deletes all recordings of the caller's session. Returns whether there was one. Locks the session. */
export const deleteRecording = (db: Database, caller: SessionOfCaller & { cause: Cause }): Promise<boolean> =>
  db.transaction(async (tx) => {
    const { userId, caseId, sessionId, cause } = caller
    const { auditId: requestId } = cause
    return (await deleteRecordings(tx, { userId, caseId, sessionId }, { requestId, cause })).length > 0
  })
