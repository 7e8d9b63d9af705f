import {
  type Database,
  ownSession,
  previews,
  renditions,
  type SessionOfCaller,
  type Storyboard,
  sessions,
  statement,
} from '@playtherapy/schema'
import { guardSession } from '@playtherapy/service-kit'
import { sql } from 'drizzle-orm'
import { hlsVideo } from '../hls/repository.ts'

const { placeholder } = sql
const caller = { userId: placeholder('userId'), caseId: placeholder('caseId'), sessionId: placeholder('sessionId') }

/** Matches the previews of the video that a row of `sessions` plays. */
const isShown = sql`${previews.videoId} = coalesce(${hlsVideo},
  (select video_id from ${renditions} where ${renditions.id} = ${sessions.renditionId}))`

/** What of a session can be played. */
export interface Parts extends Record<string, unknown> {
  has_rendition: boolean
  has_hls: boolean
  has_previews: boolean
  has_script: boolean
}

/** The guard of a route that needs to know what of the caller's session can be played. */
export const guardParts = (db: Database) =>
  guardSession<Parts>(db, [
    sql`${sessions.renditionId} is not null as has_rendition`,
    sql`${hlsVideo} is not null as has_hls`,
    sql`exists (select from ${previews} where ${isShown}) as has_previews`,
    sql`${sessions.scriptVersionId} is not null as has_script`,
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

/** Returns a function that finds the previews of what the caller's session plays, by a prepared statement. */
export function findPreviews(db: Database) {
  const find = statement<PreviewsRow>(
    db,
    sql`select poster_path, poster_size, poster_etag, storyboard_path, storyboard_size, storyboard_etag, storyboard,
        extract(epoch from ${previews.createdAt})::float8 * 1000 as created_ms
      from ${sessions} join ${previews} on ${isShown} where ${ownSession(caller)}`,
  )
  return async ({ userId, caseId, sessionId }: SessionOfCaller) => {
    const [row] = await find({ userId, caseId, sessionId })
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
