import { type Database, ownSession, type SessionOfCaller, sessions, statement } from '@playtherapy/schema'
import { errors } from '@playtherapy/service-kit'
import { sql } from 'drizzle-orm'
import { hlsVideo } from '../hls/repository.ts'

interface Row extends Record<string, unknown> {
  has_rendition: boolean
  has_hls: boolean
  has_script: boolean
}

/**
 * Returns a function that finds what of the caller's session can be played, by a prepared statement. It throws
 * `errors.sessionNotFound` if the session was deleted meanwhile.
 */
export function findParts(db: Database) {
  const { placeholder } = sql
  const caller = { userId: placeholder('userId'), caseId: placeholder('caseId'), sessionId: placeholder('sessionId') }
  const find = statement<Row>(
    db,
    sql`select ${sessions.renditionId} is not null as has_rendition, ${hlsVideo} is not null as has_hls,
        ${sessions.scriptVersionId} is not null as has_script
      from ${sessions} where ${ownSession(caller)}`,
  )
  return async ({ userId, caseId, sessionId }: SessionOfCaller) => {
    const [row] = await find({ userId, caseId, sessionId })
    if (!row) throw errors.sessionNotFound(sessionId)
    return { hasRendition: row.has_rendition, hasHls: row.has_hls, hasScript: row.has_script }
  }
}
