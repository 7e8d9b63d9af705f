import { inFolder } from '@playtherapy/object-store'
import { type Database, ownSession, renditions, type SessionOfCaller, sessions, statement } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'
import type { Playable } from './send.ts'

interface Row extends Record<string, unknown> {
  path: string
  size: number
  etag: string
  created_ms: number
  has_script: boolean
  session_name: string
  video_id: number
}

/**
 * Returns a function that finds the current rendition of the caller's session, by a prepared statement; with `videoId` only
 * if it is that of this video.
 */
export function findRendition(db: Database) {
  const { placeholder } = sql
  const caller = { userId: placeholder('userId'), caseId: placeholder('caseId'), sessionId: placeholder('sessionId') }
  const find = statement<Row>(
    db,
    sql`select ${renditions.path}, ${renditions.size}::float8, ${renditions.etag},
        extract(epoch from ${renditions.createdAt})::float8 * 1000 as created_ms,
        ${sessions.scriptVersionId} is not null as has_script, ${sessions.name} as session_name,
        ${renditions.videoId} as video_id
      from ${sessions} join ${renditions} on ${renditions.id} = ${sessions.renditionId}
      where ${ownSession(caller)} and ${renditions.videoId} = coalesce(${placeholder('videoId')}::int, ${renditions.videoId})`,
  )
  return async ({ userId, caseId, sessionId }: SessionOfCaller, videoId?: number) => {
    const [row] = await find({ userId, caseId, sessionId, videoId: videoId ?? null })
    if (!row) return undefined
    const { path, size, etag, created_ms, has_script, session_name, video_id } = row
    const createdAt = new Date(created_ms)
    const name = path.split('/').at(-1) ?? ''
    const playable: Playable = { key: inFolder('video', path), name, type: 'video/mp4', size, etag, createdAt }
    return { ...playable, hasScript: has_script, sessionName: session_name, videoId: video_id }
  }
}
