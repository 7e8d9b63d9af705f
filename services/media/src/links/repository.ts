import {
  type Database,
  isBegun,
  ownSession,
  previews,
  renditions,
  type Storyboard,
  sessions,
  statement,
  videos,
} from '@playtherapy/schema'
import { guardSession, type LinkTarget } from '@playtherapy/service-kit'
import { sql } from 'drizzle-orm'

const { placeholder } = sql
const caller = { userId: placeholder('userId'), caseId: placeholder('caseId'), sessionId: placeholder('sessionId') }

/** What of a session links can open. */
export interface Parts extends Record<string, unknown> {
  has_script: boolean
  /**
   * The recording that all links are for: the newest one that can be played, but one whose encode failed only where there is no
   * other; null if there is none.
   */
  shown: { id: number; has_mp4: boolean; has_hls: boolean; has_previews: boolean } | null
}

/** The guard of a route that needs to know what of the caller's session can be played. */
export const guardParts = (db: Database) =>
  guardSession<Parts>(db, [
    sql`${sessions.scriptVersionId} is not null as has_script`,
    sql`(select row_to_json(parts) from (
      select v.id, has_mp4, has_hls, exists (select from ${previews} where video_id = v.id) as has_previews
      from (select ${sessions.videoId} as current, (select video_id from ${renditions} where id = ${sessions.renditionId}) as encoded) of_session
      join ${videos} v on v.id = any(array[current, encoded])
      cross join lateral (select v.id is not distinct from encoded as has_mp4, ${isBegun(sql`v.id`)} as has_hls) made
      where has_mp4 or has_hls
      order by v.state = 'failed', v.id desc limit 1
    ) parts) as shown`,
  ])

interface PreviewsRow extends Record<string, unknown> {
  poster_path: string
  poster_size: number
  poster_etag: string
  storyboard_path: string
  storyboard_size: number
  storyboard_etag: string
  storyboard: Storyboard
  created_ms: number
}

/** Returns a function that finds the previews of a recording of the caller's session, by a prepared statement. */
export function findPreviews(db: Database) {
  const find = statement<PreviewsRow>(
    db,
    sql`select poster_path, poster_size, poster_etag, storyboard_path, storyboard_size, storyboard_etag, storyboard,
        extract(epoch from ${previews.createdAt})::float8 * 1000 as created_ms
      from ${sessions} join ${videos} on ${videos.sessionId} = ${sessions.id}
      join ${previews} on ${previews.videoId} = ${videos.id}
      where ${ownSession(caller)} and ${videos.id} = ${placeholder('videoId')}`,
  )
  return async ({ userId, caseId, sessionId, videoId }: LinkTarget) => {
    const [row] = await find({ userId, caseId, sessionId, videoId })
    if (!row) return undefined
    return {
      poster: { path: row.poster_path, size: row.poster_size, etag: row.poster_etag },
      sprite: { path: row.storyboard_path, size: row.storyboard_size, etag: row.storyboard_etag },
      storyboard: row.storyboard,
      createdAt: new Date(row.created_ms),
    }
  }
}

export type Previews = NonNullable<Awaited<ReturnType<ReturnType<typeof findPreviews>>>>
