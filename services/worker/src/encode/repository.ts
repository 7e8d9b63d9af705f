import { PostponedError } from '@playtherapy/jobs'
import {
  announce,
  audioRenditions,
  type Container,
  clockTime,
  type Database,
  renditions,
  State,
  sessions,
  type Transaction,
  videos,
} from '@playtherapy/schema'
import { and, eq, inArray, sql } from 'drizzle-orm'

/** Time of a lease, which is renewed each second. The encode of a crashed worker begins again after it. */
const leaseSeconds = 30

const leaseUntil = sql`now() + make_interval(secs => ${leaseSeconds})`

export interface Claim {
  videoId: number
  sessionId: number
  path: string
  size: number
  etag: string
  container: Container
  attempt: number
}

/** Locks the session and then the video, as a deletion does; undefined when they were deleted. */
async function lock(tx: Transaction, videoId: number) {
  const [session] = await tx
    .select({ id: sessions.id, videoId: sessions.videoId, caseId: sessions.caseId })
    .from(sessions)
    .where(inArray(sessions.id, tx.select({ id: videos.sessionId }).from(videos).where(eq(videos.id, videoId))))
    .for('no key update')
  if (!session) return undefined
  const [video] = await tx
    .select({
      state: videos.state,
      path: videos.path,
      size: videos.size,
      etag: videos.etag,
      container: videos.container,
      attempt: videos.attempt,
      leaseMs: sql<number>`coalesce(extract(epoch from ${videos.leaseUntil} - now()) * 1000, 0)::float8`,
    })
    .from(videos)
    .where(eq(videos.id, videoId))
    .for('no key update')
  return video && { session, video, current: session.videoId === videoId }
}

/**
 * Begins an attempt at a video that is stored, or encoding with an expired lease. Undefined when nothing is left to do; a
 * video that a newer one has replaced becomes superseded. Locks the session and then the video. Throws PostponedError
 * while another attempt is alive.
 */
export const claimVideo = (db: Database, videoId: number): Promise<Claim | undefined> =>
  db.transaction(async (tx) => {
    const locked = await lock(tx, videoId)
    if (!locked) return undefined
    const { session, video, current } = locked
    const { path, size, etag, container } = video
    if (!['stored', 'encoding'].includes(video.state) || size === null || etag === null || container === null) {
      return undefined
    }
    if (!current) {
      await tx.update(videos).set({ state: 'superseded', leaseUntil: null }).where(eq(videos.id, videoId))
      await announce(tx, 'delete-superseded', { session_id: session.id })
      return undefined
    }
    if (video.state === 'encoding' && video.leaseMs > 0) throw new PostponedError(Math.ceil(video.leaseMs))
    const attempt = video.attempt + 1
    await tx.update(videos).set({ state: 'encoding', attempt, progress: 0, leaseUntil }).where(eq(videos.id, videoId))
    await tx
      .update(sessions)
      .set({ encodingStateId: State.START })
      .where(and(eq(sessions.id, session.id), eq(sessions.encodingStateId, State.READY)))
    return { videoId, sessionId: session.id, path, size, etag, container, attempt }
  })

/** The video, while this is its current attempt. */
const mine = ({ videoId, attempt }: Claim) =>
  and(eq(videos.id, videoId), eq(videos.state, 'encoding'), eq(videos.attempt, attempt))

/** Records progress and renews the lease; false when another attempt or a newer video has replaced this one. */
export async function renew(db: Database, claim: Claim, progress: number): Promise<boolean> {
  const current = sql`exists (select 1 from ${sessions}
    where ${sessions.id} = ${videos.sessionId} and ${sessions.videoId} = ${videos.id})`
  const rows = await db
    .update(videos)
    .set({ progress, leaseUntil })
    .where(and(mine(claim), current))
    .returning({ id: videos.id })
  return rows.length > 0
}

/** Ends an attempt if a newer video replaced its video, which becomes superseded and is announced for removal. */
export const giveWay = (db: Database, claim: Claim): Promise<void> =>
  db.transaction(async (tx) => {
    const locked = await lock(tx, claim.videoId)
    if (!locked || locked.current) return
    const rows = await tx
      .update(videos)
      .set({ state: 'superseded', leaseUntil: null })
      .where(mine(claim))
      .returning({ id: videos.id })
    if (rows.length > 0) await announce(tx, 'delete-superseded', { session_id: locked.session.id })
  })

/** Ends the lease, so that a retry can begin at once. */
export async function release(db: Database, claim: Claim): Promise<void> {
  await db.update(videos).set({ leaseUntil: null }).where(mine(claim))
}

export interface NewRendition {
  path: string
  size: number
  etag: string
  seconds: number
  width: number
  height: number
  /** The file of the sound alone, where the video has sound. */
  audio?: { path: string; size: number; etag: string }
}

/**
 * The length of a session once this video is encoded: what a client set for it or, if there is no such length, the measured
 * one. A length that a client set for an older recording is not that of this one. Releases before the column
 * `video_length_set_for` left it null; a length from before the first encode is a client's.
 */
function lengthOf(videoId: number, measured: string) {
  const isSet = sql`coalesce(${sessions.videoLengthSetFor} in (0, ${videoId}), ${sessions.renditionId} is null
    and ${sessions.videoLength} is not null)`
  return {
    videoLength: sql`case when ${isSet} then ${sessions.videoLength} else ${measured} end`,
    videoLengthSetFor: sql`case when ${isSet} then ${videoId}::int end`,
    previousVideoLength: sql`case when ${isSet} or ${sessions.videoLength} is null or ${sessions.videoLength} = ${measured}
      then ${sessions.previousVideoLength} else ${sessions.videoLength} end`,
  }
}

/**
 * Makes a rendition the current one: the video is encoded, its session DONE, older videos are announced for removal, and
 * a transcript of an older video is no longer awaited. False when another attempt or a newer video has replaced this one,
 * which then becomes superseded, or the session was deleted. Locks the session and then the video.
 */
export const commit = (db: Database, claim: Claim, { seconds, audio, ...file }: NewRendition): Promise<boolean> =>
  db.transaction(async (tx) => {
    const locked = await lock(tx, claim.videoId)
    if (locked?.video.state !== 'encoding' || locked.video.attempt !== claim.attempt) return false
    const { session, current } = locked
    await announce(tx, 'delete-superseded', { session_id: session.id })
    if (!current) {
      await tx.update(videos).set({ state: 'superseded', leaseUntil: null }).where(mine(claim))
      return false
    }
    const [rendition] = await tx
      .insert(renditions)
      .values({ ...file, sessionId: session.id, videoId: claim.videoId, durationMs: Math.round(seconds * 1000) })
      .returning({ id: renditions.id })
    if (audio) await tx.insert(audioRenditions).values({ ...audio, videoId: claim.videoId, isFresh: true })
    await tx.update(videos).set({ state: 'encoded', progress: 100, leaseUntil: null }).where(mine(claim))
    await tx
      .update(sessions)
      .set({
        encodingStateId: State.DONE,
        renditionId: rendition?.id ?? null,
        scriptStateId: sql`case when ${sessions.scriptVersionId} is null
          then ${State.NONE} else ${sessions.scriptStateId} end::smallint`,
        ...lengthOf(claim.videoId, clockTime(Math.round(seconds) * 1000)),
      })
      .where(eq(sessions.id, session.id))
    return true
  })

/**
 * Gives a video up: it becomes failed with its reason and, if it is the session's current video, the encoding ERROR. False
 * when the video was deleted. Locks the session and then the video.
 */
export const fail = (db: Database, videoId: number, reason: string): Promise<boolean> =>
  db.transaction(async (tx) => {
    const locked = await lock(tx, videoId)
    if (!locked) return false
    if (!['stored', 'encoding'].includes(locked.video.state)) return true
    await tx.update(videos).set({ state: 'failed', failure: reason, leaseUntil: null }).where(eq(videos.id, videoId))
    if (!locked.current) return true
    await tx.update(sessions).set({ encodingStateId: State.ERROR }).where(eq(sessions.id, locked.session.id))
    return true
  })
