import { type Column, type SQL, sql } from 'drizzle-orm'
import { chunks, encodePlans, rungs } from './encode-tables.ts'
import { failureCode } from './failures.ts'
import { renditions, sessions, videos } from './tables.ts'

/** Whether the beginning of a video's sound, if it has any, and of its picture are encoded. */
export const isBegun = (
  videoId: SQL | Column,
): SQL => sql`exists (select from ${encodePlans} where video_id = ${videoId})
  and not exists (select from ${chunks} where video_id = ${videoId} and kind = 'sound' and index = 0 and state <> 'encoded')
  and (exists (select from ${rungs} where video_id = ${videoId} and rung = 'upper')
    or exists (select from ${chunks}
      where video_id = ${videoId} and kind in ('copy', 'picture') and index = 0 and state = 'encoded'))`

/** An encode that took more seconds for each second of picture has waited, such as for a retry, and its pace is unknown. */
const slowestPace = 10

/**
 * A subquery with the state of the newest recording of a session, as `VideoState` of service-kit describes it, or without a
 * row. Presigned URLs without an announced upload are no recordings yet, and uploads that have brought nothing are shown only where
 * there is no other recording. Its statement must have chosen the session by its therapist.
 *
 * It is playable where `POST …/playback` gives links for it: an encoded recording of the session takes the place of one that failed.
 *
 * A recording that is encoded in chunks is ready up to the first one that is not encoded. What is left takes as long for each
 * second as what was done since the encode was planned, on however many workers, and a second at least until all is joined.
 */
export const newestRecording = (sessionId: SQL | Column): SQL => sql`(
  with video as (
    select ${videos.id}, ${videos.state}, ${videos.progress}, ${videos.failure}, ${videos.fileName}, ${videos.size},
      ${videos.received}, duration_ms, extract(epoch from now() - ${encodePlans.createdAt}) as elapsed,
      (duration_ms is not null or ${isBegun(videos.id)}) and not (${videos.state} = 'failed' and exists (
        select from ${sessions} s join ${renditions} other on other.id = s.rendition_id
        where s.id = ${sessionId} and other.video_id <> ${videos.id})) as playable, made.*
    from (
      select * from ${videos} where session_id = ${sessionId} and state <> 'presigned'
      order by coalesce(size, received, 0) > 0 desc, id desc limit 1
    ) as ${videos}
    left join ${encodePlans} on ${encodePlans.videoId} = ${videos.id}
    left join ${renditions} on ${renditions.videoId} = ${videos.id}
    cross join lateral (
      select nullif(sum(to_seconds - from_seconds) filter (where kind <> 'sound'), 0) as total,
        sum((to_seconds - from_seconds) * c.progress) filter (where kind <> 'sound') / 100 as done,
        coalesce(min(from_seconds) filter (where c.state <> 'encoded'), max(to_seconds)) as until
      from ${chunks} c where c.video_id = ${videos.id} and kind <> 'lower'
    ) made
  )
  select state, failure, ${failureCode} as failure_code, file_name, size::float8, coalesce(size, received)::float8 as received, playable,
    case when state <> 'encoding' or total is null then progress else least(floor(done / total * 100), 99) end::int
      as progress,
    case when playable then coalesce(duration_ms / 1000.0, until, 0) else 0 end::float8 as seconds_ready,
    case when state = 'encoded' then 0
      when state = 'encoding' and elapsed < done * ${sql.raw(`${slowestPace}`)}
        then greatest(ceil(elapsed * (total - done) / nullif(done, 0)), 1) end::float8 as seconds_left
  from video)`
