import {
  audioRenditions,
  cases,
  chunkFiles,
  chunks,
  type Database,
  renditions,
  rungs,
  sessions,
  videos,
} from '@playtherapy/schema'
import { sql } from 'drizzle-orm'

/** ETags of this shape are hashes of the bytes; others, such as those of the folder store, do not depend on them. */
const hashEtag = /^"[0-9a-f]{32}(-\d+)?"$/
/** The clocks of database and object store may differ by this much: S3 refuses signatures beyond it. */
const skewSeconds = 900

/**
 * Returns whether an upload may be a copy, made inside the object store, of another therapist's recording or of what
 * was made of it: it has the same hash and size, and was not stored before the other one began. A therapist may upload a file
 * twice. Two therapists who hold the same file can both upload it through the service, where the bytes themselves pass;
 * only the second of two presigned uploads is refused.
 */
export async function mayBeCopy(
  db: Database,
  sessionId: number,
  { size, etag, lastModified }: { size: number; etag: string; lastModified: Date },
): Promise<boolean> {
  if (!hashEtag.test(etag)) return false
  const same = sql`etag = ${etag} and size = ${size}::bigint`
  const rows = await db.execute(sql`
    select 1 from ${videos} join ${sessions} on ${sessions.id} = ${videos.sessionId}
      join ${cases} on ${cases.id} = ${sessions.caseId}
    where ${videos.id} in (
        select id from ${videos} where ${same}
        union all select video_id from ${renditions} where ${same}
        union all select video_id from ${audioRenditions} where ${same}
        union all select video_id from ${rungs} where ${same}
        union all select video_id from ${chunkFiles} join ${chunks} on ${chunks.id} = ${chunkFiles.chunkId} where ${same}
      )
      and ${videos.createdAt} < ${lastModified.toISOString()}::timestamptz + make_interval(secs => ${skewSeconds})
      and ${cases.userId} <> (
        select own.user_id from ${sessions} as mine join ${cases} as own on own.id = mine.case_id
        where mine.id = ${sessionId}
      )
    limit 1`)
  return rows.length > 0
}
