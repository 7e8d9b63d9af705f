import {
  announce,
  type ChunkKind,
  chunkFiles,
  chunks,
  clockTime,
  type Database,
  encodePlans,
  previews,
  type Rung,
  renditions,
  rungs,
  State,
  sessions,
  type Transaction,
  videos,
} from '@playtherapy/schema'
import { and, asc, eq, sql } from 'drizzle-orm'
import { lockCurrent, lockVideo } from './lock.ts'
import { announceOpen } from './plan-repository.ts'
import { type VideoClaim, whileVideoClaimed } from './video-repository.ts'

export type ChunkFile = Omit<typeof chunkFiles.$inferSelect, 'chunkId'>

export type FinishedRung = Omit<typeof rungs.$inferInsert, 'videoId'>

/** What is there of an encode, and what of it is complete. */
export interface Made {
  seconds: number
  hasRendition: boolean
  hasPreviews: boolean
  rungs: FinishedRung[]
  /** The files of rungs whose chunks are all encoded and that are not finished, in order. */
  complete: Map<Rung, ChunkFile[]>
  hasSound: boolean
  /** Whether all chunks are encoded. */
  isWhole: boolean
}

/** The kinds of chunks that a rung consists of. */
const kindsOf: Record<Rung, ChunkKind[]> = {
  upper: ['copy', 'picture'],
  lower: ['lower', 'picture'],
  sound: ['sound'],
}
const allRungs: Rung[] = ['upper', 'lower', 'sound']

/**
 * Reads what is there of a video's encode, all as of one moment: a chunk that is encoded meanwhile would be without its files.
 * Undefined without a plan.
 */
export const readMade = (db: Database, videoId: number): Promise<Made | undefined> =>
  db.transaction((tx) => readAll(tx, videoId), { isolationLevel: 'repeatable read', accessMode: 'read only' })

async function readAll(tx: Transaction, videoId: number): Promise<Made | undefined> {
  const [plan] = await tx
    .select({ seconds: encodePlans.seconds })
    .from(encodePlans)
    .where(eq(encodePlans.videoId, videoId))
  if (!plan) return undefined
  const [states, files, finished, rendition, preview] = await Promise.all([
    tx.select({ kind: chunks.kind, state: chunks.state }).from(chunks).where(eq(chunks.videoId, videoId)),
    tx
      .select({ file: chunkFiles })
      .from(chunkFiles)
      .innerJoin(chunks, eq(chunks.id, chunkFiles.chunkId))
      .where(eq(chunks.videoId, videoId))
      .orderBy(asc(chunks.index)),
    tx.select().from(rungs).where(eq(rungs.videoId, videoId)),
    tx.$count(renditions, eq(renditions.videoId, videoId)),
    tx.$count(previews, eq(previews.videoId, videoId)),
  ])
  const isEncoded = (rung: Rung) =>
    states.every(({ kind, state }) => state === 'encoded' || !kindsOf[rung].includes(kind))
  const complete = new Map<Rung, ChunkFile[]>()
  for (const rung of allRungs) {
    const made = files.filter(({ file }) => file.rung === rung).map(({ file }) => file)
    const isFinished = finished.some((other) => other.rung === rung)
    if (made.length > 0 && !isFinished && isEncoded(rung)) complete.set(rung, made)
  }
  return {
    seconds: plan.seconds,
    hasRendition: rendition > 0,
    hasPreviews: preview > 0,
    rungs: finished,
    complete,
    hasSound: finished.some(({ rung }) => rung === 'sound') || states.some(({ kind }) => kind === 'sound'),
    isWhole: states.length > 0 && states.every(({ state }) => state === 'encoded'),
  }
}

/** Records something of a video; false when another attempt or a newer video has replaced this one, or it was deleted. */
const record = (db: Database, claim: VideoClaim, insert: (tx: Transaction) => Promise<unknown>): Promise<boolean> =>
  db.transaction(async (tx) => {
    const locked = await lockCurrent(tx, claim.videoId)
    const [mine] = await tx.select({ id: videos.id }).from(videos).where(whileVideoClaimed(claim))
    if (!locked || !mine) return false
    await insert(tx)
    return true
  })

/** Records a finished rung; false when the work was replaced or deleted. Locks the session and then the video. */
export const commitRung = (db: Database, claim: VideoClaim, row: FinishedRung) =>
  record(db, claim, (tx) => tx.insert(rungs).values({ ...row, videoId: claim.videoId }))

/** Records the still pictures of a video; false when the work was replaced or deleted. Locks as {@link commitRung}. */
export const commitPreviews = (db: Database, claim: VideoClaim, row: Omit<typeof previews.$inferInsert, 'videoId'>) =>
  record(db, claim, (tx) => tx.insert(previews).values({ ...row, videoId: claim.videoId }))

export interface NewRendition {
  path: string
  size: number
  etag: string
  seconds: number
  width: number
  height: number
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
 * Makes a rendition the current one: the video is encoded, its session DONE, and older videos are announced for removal.
 * False when another attempt or a newer video has replaced this one, or the session was deleted. Locks the session and then
 * the video.
 */
export const commitRendition = (db: Database, claim: VideoClaim, { seconds, ...file }: NewRendition) =>
  db.transaction(async (tx): Promise<boolean> => {
    const locked = await lockCurrent(tx, claim.videoId)
    if (!locked) return false
    const { session } = locked
    const mine = await tx
      .update(videos)
      .set({ state: 'encoded', progress: 100 })
      .where(and(whileVideoClaimed(claim), eq(videos.state, 'encoding')))
      .returning({ id: videos.id })
    if (mine.length === 0) return false
    await announce(tx, 'delete-superseded', { session_id: session.id })
    const [rendition] = await tx
      .insert(renditions)
      .values({ ...file, sessionId: session.id, videoId: claim.videoId, durationMs: Math.round(seconds * 1000) })
      .returning({ id: renditions.id })
    await tx
      .update(sessions)
      .set({
        encodingStateId: State.DONE,
        renditionId: rendition?.id ?? null,
        ...lengthOf(claim.videoId, clockTime(Math.round(seconds) * 1000)),
      })
      .where(eq(sessions.id, session.id))
    return true
  })

/** Announces the chunks that are still to be encoded, such as those of a lower rung beside a copy. Locks the video. */
export const announceRest = (db: Database, { videoId }: VideoClaim): Promise<void> =>
  db.transaction(async (tx) => {
    if (await lockVideo(tx, videoId)) await announceOpen(tx, videoId)
  })

/** Forgets the chunks of a finished encode, once their objects are removed. Locks as {@link commitRung}. */
export const forgetChunks = (db: Database, claim: VideoClaim): Promise<boolean> =>
  record(db, claim, (tx) => tx.delete(chunks).where(eq(chunks.videoId, claim.videoId)))

/** The keys of the objects of a video's chunks that no finished rung has taken over. */
export async function spareObjects(db: Database, videoId: number): Promise<string[]> {
  const rows = await db
    .select({ path: chunkFiles.path })
    .from(chunkFiles)
    .innerJoin(chunks, eq(chunks.id, chunkFiles.chunkId))
    .where(
      and(
        eq(chunks.videoId, videoId),
        sql`not exists (select 1 from ${rungs} where ${rungs.path} = ${chunkFiles.path})`,
      ),
    )
  return rows.map(({ path }) => path)
}

/** Whether a video's rungs have been finished for so long that no reader of a chunk's object is left. */
export async function areSettled(db: Database, videoId: number, seconds: number): Promise<boolean> {
  const young = sql`${rungs.createdAt} > now() - make_interval(secs => ${seconds})`
  return (await db.$count(rungs, and(eq(rungs.videoId, videoId), young))) === 0
}
