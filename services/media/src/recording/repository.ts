import {
  announceErasure,
  chunks,
  type Database,
  encodePlans,
  ownSession,
  renditions,
  type SessionOfCaller,
  State,
  sessions,
  statement,
  type Transaction,
  videos,
} from '@playtherapy/schema'
import { and, inArray, ne, sql } from 'drizzle-orm'
import type { Static } from 'typebox'
import { isBegun } from '../hls/repository.ts'
import type { VideoState } from './schemas.ts'

/** Presigned URLs without an announced upload are no recordings yet. */
const isRecording = ne(videos.state, 'presigned')

/** An encode that took more seconds for each second of picture has waited, such as for a retry, and its pace is unknown. */
const slowestPace = 10

type StateRow = Static<typeof VideoState>

/**
 * Returns a function that selects the newest recording of the caller's session, by a prepared statement.
 *
 * A recording that is encoded in chunks is ready up to the first one that is not encoded. What is left takes as long for each
 * second as what was done since the encode was planned, on however many workers, and a second at least until all is joined.
 */
export function findState(db: Database) {
  const { placeholder } = sql
  const caller = { userId: placeholder('userId'), caseId: placeholder('caseId'), sessionId: placeholder('sessionId') }
  const find = statement<StateRow>(
    db,
    sql`with video as (
      select ${videos.id}, ${videos.state}, ${videos.progress}, ${videos.failure}, ${videos.fileName}, ${videos.size},
        ${videos.received}, duration_ms, extract(epoch from now() - ${encodePlans.createdAt}) as elapsed,
        duration_ms is not null or ${isBegun(videos.id)} as playable, made.*
      from ${sessions} join ${videos} on ${videos.sessionId} = ${sessions.id}
      left join ${encodePlans} on ${encodePlans.videoId} = ${videos.id}
      left join ${renditions} on ${renditions.videoId} = ${videos.id}
      cross join lateral (
        select nullif(sum(to_seconds - from_seconds) filter (where kind <> 'sound'), 0) as total,
          sum((to_seconds - from_seconds) * c.progress) filter (where kind <> 'sound') / 100 as done,
          coalesce(min(from_seconds) filter (where c.state <> 'encoded'), max(to_seconds)) as until
        from ${chunks} c where c.video_id = ${videos.id} and kind <> 'lower'
      ) made
      where ${ownSession(caller)} and ${isRecording}
      order by ${videos.id} desc limit 1
    )
    select state, failure, file_name, size::float8, coalesce(size, received)::float8 as received, playable,
      case when state <> 'encoding' or total is null then progress else least(floor(done / total * 100), 99) end::int
        as progress,
      case when playable then coalesce(duration_ms / 1000.0, until, 0) else 0 end::float8 as seconds_ready,
      case when state = 'encoded' then 0
        when state = 'encoding' and elapsed < done * ${slowestPace}
          then greatest(ceil(elapsed * (total - done) / done), 1) end::float8 as seconds_left
    from video`,
  )
  return async ({ userId, caseId, sessionId }: SessionOfCaller): Promise<StateRow | undefined> => {
    const [row] = await find({ userId, caseId, sessionId })
    return row
  }
}

/** Matches all recordings of the caller's session. */
const recordingsOf = (tx: Transaction, caller: SessionOfCaller) =>
  and(isRecording, inArray(videos.sessionId, tx.select({ id: sessions.id }).from(sessions).where(ownSession(caller))))

/**
 * Deletes all recordings of the caller's session, and announces the erasure of their objects. Their uploads and encodes end,
 * because their rows are deleted. The encoding becomes NONE, as does a script that was only awaited, and the length
 * is unknown unless a client has set it for the next recording. Returns whether there was a recording. Locks the session.
 */
export const deleteRecording = (db: Database, caller: SessionOfCaller, requestId: string): Promise<boolean> =>
  db.transaction(async (tx) => {
    await tx.select({ id: sessions.id }).from(sessions).where(ownSession(caller)).for('no key update')
    if ((await tx.$count(videos, recordingsOf(tx, caller))) === 0) return false
    const isForNext = sql`${sessions.videoLengthSetFor} is not distinct from 0`
    await tx
      .update(sessions)
      .set({
        videoId: null,
        renditionId: null,
        encodingStateId: State.NONE,
        scriptStateId: sql`case when ${sessions.scriptVersionId} is null
          then ${State.NONE} else ${sessions.scriptStateId} end::smallint`,
        videoLength: sql`case when ${isForNext} then ${sessions.videoLength} end`,
        videoLengthSetFor: sql`case when ${isForNext} then 0 end`,
        previousVideoLength: sql`case when ${isForNext}
          then ${sessions.previousVideoLength} else ${sessions.videoLength} end`,
      })
      .where(ownSession(caller))
    const deleted = await tx.delete(videos).where(recordingsOf(tx, caller)).returning({ videoId: videos.id })
    const { caseId, sessionId } = caller
    for (const { videoId } of deleted) await announceErasure(tx, { caseId, sessionId, videoId, requestId })
    return true
  })
