import {
  because,
  type Cause,
  type Database,
  type JobName,
  outbox,
  State,
  sessions,
  type Transaction,
  videos,
} from '@playtherapy/schema'
import { currentTraceparent } from '@playtherapy/tracing'
import { eq, sql } from 'drizzle-orm'
import { SessionDeletedError, VideoDeletedError } from './errors.ts'

export interface DurableOriginal {
  videoId: number
  sessionId: number
  size: number
  etag: string
  container: NonNullable<(typeof videos.$inferSelect)['container']>
  /** The request that brought it, or its last byte; undefined for the worker. */
  cause: Cause | undefined
  /** The lease under which the original was made durable, if another process may have taken it over. */
  leaseUntil?: Date
}

/**
 * Records that an original is durable: its video is stored, the session's encoding READY, the encode announced. If the
 * session has a newer video (one with a higher id), the original is superseded at once instead. A length that a client
 * set for the next recording belongs to this video from now on. Returns false and changes nothing when the video is no
 * longer in state `from`, or the lease is lost: it was deleted, or another call was first.
 * It is one statement because a therapist waits for each round trip. It locks the session first, as a deletion does:
 * the other order could deadlock.
 */
export async function registerOriginal(
  db: Database | Transaction,
  from: 'receiving' | 'presigned',
  { videoId, sessionId, size, etag, container, cause, leaseUntil }: DurableOriginal,
): Promise<boolean> {
  const encode: JobName = 'encode-video'
  const superseded: JobName = 'delete-superseded'
  const rows = await db.execute(sql`
    with session as materialized (
      select id, coalesce(video_id, 0) < ${videoId}::int as is_newest from ${sessions}
      where id = ${sessionId} and ${because(cause)} for no key update
    ), registered as (
      update ${videos} set size = ${size}::bigint, etag = ${etag}::text, container = ${container}::container,
        state = case when session.is_newest then 'stored' else 'superseded' end::video_state,
        stored_at = now(), lease_until = null
      from session
      where ${videos.id} = ${videoId} and ${videos.sessionId} = session.id and ${videos.state} = ${from}
        and ${leaseUntil === undefined ? sql`true` : sql`${videos.leaseUntil} = ${leaseUntil.toISOString()}::timestamptz`}
      returning ${videos.id} as video_id, session.id as session_id, session.is_newest
    ), counted as (
      update ${sessions} set video_id = registered.video_id, encoding_state_id = ${State.READY},
        video_length_set_for = case video_length_set_for when 0 then registered.video_id else video_length_set_for end
      from registered where ${sessions.id} = registered.session_id and registered.is_newest
    )
    insert into ${outbox} (name, payload, request_id, traceparent)
    select case when is_newest then ${encode}::text else ${superseded}::text end,
      case when is_newest then jsonb_build_object('video_id', video_id)
        else jsonb_build_object('session_id', session_id) end,
      ${cause?.requestId ?? null}::text,
      ${currentTraceparent() ?? null}::text
    from registered
    returning id`)
  return rows.length > 0
}

/** Whether `registerOriginal` has committed, in an attempt whose response was lost; nothing else sets this time. */
export async function isRegistered(db: Database, videoId: number): Promise<boolean> {
  const [row] = await db.select({ storedAt: videos.storedAt }).from(videos).where(eq(videos.id, videoId))
  return Boolean(row?.storedAt)
}

/** The error of an upload whose row was deleted. */
export async function deletion(db: Database, sessionId: number): Promise<Error> {
  const rows = await db.select({ id: sessions.id }).from(sessions).where(eq(sessions.id, sessionId))
  return rows.length > 0 ? new VideoDeletedError() : new SessionDeletedError()
}
