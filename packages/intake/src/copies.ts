import { audioRenditions, cases, type Database, renditions, sessions, videos } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'

/** An ETag that is a hash of the bytes. Other ETags, such as those of the folder store, say nothing about the bytes. */
const ofBytes = /^"[0-9a-f]{32}(-\d+)?"$/
/** Most seconds by which the clocks of database and object store may differ: S3 refuses signatures beyond it. */
const skewSeconds = 900

/**
 * Whether an upload may be a copy of a recording, rendition or sound of another therapist, which the object store made
 * although the caller has never seen the bytes: the same hash and the same size. It cannot be one where it was stored
 * before the other was begun. The same therapist may upload a file twice. Two therapists who hold the same file both can
 * bring it in through the service, where the bytes themselves pass; this refuses the second of two presigned uploads.
 */
export async function mayBeCopy(
  db: Database,
  sessionId: number,
  { size, etag, lastModified }: { size: number; etag: string; lastModified: Date },
): Promise<boolean> {
  if (!ofBytes.test(etag)) return false
  const same = sql`etag = ${etag} and size = ${size}::bigint`
  const rows = await db.execute(sql`
    select 1 from ${videos} join ${sessions} on ${sessions.id} = ${videos.sessionId}
      join ${cases} on ${cases.id} = ${sessions.caseId}
    where ${videos.id} in (
        select id from ${videos} where ${same}
        union all select video_id from ${renditions} where ${same}
        union all select video_id from ${audioRenditions} where ${same}
      )
      and ${videos.createdAt} < ${lastModified.toISOString()}::timestamptz + make_interval(secs => ${skewSeconds})
      and ${cases.userId} <> (
        select own.user_id from ${sessions} as mine join ${cases} as own on own.id = mine.case_id
        where mine.id = ${sessionId}
      )
    limit 1`)
  return rows.length > 0
}
