import { PostponedError } from '@playtherapy/jobs'
import { type Container, type Database, outbox, State, sessions, videos } from '@playtherapy/schema'
import { and, eq, inArray, type SQL, sql } from 'drizzle-orm'
import type { Lease } from './lease.ts'
import { leaseUntil, lockCurrent, lockVideo } from './lock.ts'

/** A durable original, as every read of it insists on it. */
export interface Original {
  path: string
  size: number
  etag: string
  container: Container
}

/** The step that one job does with a whole video: the plan of its encode, or its end. */
export interface VideoClaim {
  videoId: number
  sessionId: number
  attempt: number
  original: Original
  /** Whether it has a rendition already, so that only what is beside it is made. */
  isEncoded: boolean
}

/** The video that a row describes, if it is durable. */
export function originalOf({ path, size, etag, container }: { [K in keyof Original]: Original[K] | null }) {
  if (path === null || size === null || etag === null || container === null) return undefined
  return { path, size, etag, container }
}

/**
 * Begins an attempt at a step of a video that is stored, encoding or encoded. Undefined when nothing is left to do; an
 * unfinished video that a newer one has replaced becomes superseded. Locks the session and then the video. Throws
 * PostponedError while another attempt is alive.
 */
export const claimVideo = (db: Database, videoId: number): Promise<VideoClaim | undefined> =>
  db.transaction(async (tx) => {
    const locked = await lockCurrent(tx, videoId)
    if (!locked) return undefined
    const { session, video } = locked
    const original = originalOf(video)
    if (!['stored', 'encoding', 'encoded'].includes(video.state) || !original) return undefined
    if (video.leaseMs > 0) throw new PostponedError(Math.ceil(video.leaseMs))
    const attempt = video.attempt + 1
    const isEncoded = video.state === 'encoded'
    await tx
      .update(videos)
      .set({ attempt, leaseUntil, ...(!isEncoded && { state: 'encoding' as const }) })
      .where(eq(videos.id, videoId))
    await tx
      .update(sessions)
      .set({ encodingStateId: State.START })
      .where(and(eq(sessions.id, session.id), eq(sessions.encodingStateId, State.READY)))
    return { videoId, sessionId: session.id, attempt, original, isEncoded }
  })

/** Matches a video, while this is its current attempt. */
export const whileVideoClaimed = ({ videoId, attempt }: VideoClaim) =>
  and(eq(videos.id, videoId), inArray(videos.state, ['encoding', 'encoded']), eq(videos.attempt, attempt))

/** The lease of an attempt at a step of a video. */
export const leaseOfVideo = (db: Database, claim: VideoClaim): Lease => ({
  async renew() {
    const current = sql`exists (select 1 from ${sessions}
      where ${sessions.id} = ${videos.sessionId} and ${sessions.videoId} = ${videos.id})`
    const rows = await db
      .update(videos)
      .set({ leaseUntil })
      .where(and(whileVideoClaimed(claim), current))
      .returning({ id: videos.id })
    return rows.length > 0
  },
  async release() {
    await db.update(videos).set({ leaseUntil: null }).where(whileVideoClaimed(claim))
  },
})

/** Ends the encode of a video if a newer one has replaced it. Locks the session and then the video. */
export const giveWay = (db: Database, videoId: number): Promise<void> =>
  db.transaction(async (tx) => {
    await lockCurrent(tx, videoId)
  })

/**
 * Gives a video up: it becomes failed with its reason and, if it is the session's current video, the encoding ERROR. A video
 * that is encoded already stays so. False when the video was deleted. Locks the session and then the video.
 */
export const fail = (db: Database, videoId: number, reason: string): Promise<boolean> =>
  db.transaction(async (tx) => {
    const locked = await lockVideo(tx, videoId)
    if (!locked) return false
    if (!['stored', 'encoding'].includes(locked.video.state)) return true
    await tx.update(videos).set({ state: 'failed', failure: reason, leaseUntil: null }).where(eq(videos.id, videoId))
    if (!locked.isCurrent) return true
    await tx.update(sessions).set({ encodingStateId: State.ERROR }).where(eq(sessions.id, locked.session.id))
    return true
  })

/** Selects the outbox rows of a video's encode, for a statement that reads `videos`; dead letters are among them. */
export const jobsOfEncode = (db: Pick<Database, 'select'>, which?: SQL) =>
  db
    .select({ id: outbox.id })
    .from(outbox)
    .where(
      and(
        sql`${outbox.name} in ('encode-video', 'encode-chunk', 'finish-video')`,
        sql`${outbox.payload} ->> 'video_id' = ${videos.id}::text`,
        which,
      ),
    )
