import {
  announce,
  announceEach,
  type ChunkKind,
  chunks,
  type Database,
  encodePlans,
  outbox,
  rungs,
  State,
  sessions,
  type Transaction,
  videos,
} from '@playtherapy/schema'
import { and, asc, eq, inArray, isNull, ne, notExists, type SQL, sql } from 'drizzle-orm'
import { lockCurrent, lockVideo } from './lock.ts'
import { type VideoClaim, whileVideoClaimed } from './video-repository.ts'

/** Rows of one statement, far below the number of parameters that PostgreSQL allows. */
const batchRows = 1_000

export interface NewChunk {
  kind: ChunkKind
  index: number
  fromSeconds: number
  toSeconds: number
}

export interface NewPlan {
  plan: unknown
  seconds: number
  targetSeconds: number
  chunks: NewChunk[]
  /** Whether the job of the plan copies the picture, so that the copy needs no job of its own. */
  copiesHere: boolean
}

/** The plan of a video's encode; undefined where there is none. */
export async function findPlan(db: Database, videoId: number): Promise<unknown> {
  const [row] = await db.select({ plan: encodePlans.plan }).from(encodePlans).where(eq(encodePlans.videoId, videoId))
  return row?.plan
}

/** The chunk that copies the picture of a video; undefined where none waits. */
export async function findCopy(db: Database, videoId: number): Promise<number | undefined> {
  const waiting = and(eq(chunks.kind, 'copy'), eq(chunks.state, 'waiting'))
  const [row] = await db
    .select({ id: chunks.id })
    .from(chunks)
    .where(and(eq(chunks.videoId, videoId), waiting))
  return row?.id
}

/**
 * Records what is to be encoded, and announces a job for each chunk. A transcript of an older video is no longer awaited.
 * False when another attempt or a newer video has replaced this one, or the session was deleted. Locks the session and then
 * the video.
 */
export const commitPlan = (
  db: Database,
  claim: VideoClaim,
  { chunks: parts, copiesHere, ...plan }: NewPlan,
): Promise<boolean> =>
  db.transaction(async (tx) => {
    const { videoId } = claim
    const locked = await lockCurrent(tx, videoId)
    if (!locked) return false
    const mine = await tx
      .update(videos)
      .set({ leaseUntil: null })
      .where(whileVideoClaimed(claim))
      .returning({ id: videos.id })
    if (mine.length === 0) return false
    await tx.insert(encodePlans).values({ videoId, ...plan })
    await insertChunks(tx, videoId, parts, copiesHere)
    if (claim.isEncoded) return true
    const awaited = inArray(sessions.scriptStateId, [State.READY, State.START])
    await tx
      .update(sessions)
      .set({ scriptStateId: State.NONE })
      .where(and(eq(sessions.id, locked.session.id), isNull(sessions.scriptVersionId), awaited))
    return true
  })

/**
 * Inserts chunks and announces their jobs, in this order, that of a copy only where the job of the plan does not make it.
 * Those of a lower rung beside it are announced at the end of the encode, so that they do not slow down what makes the
 * rendition.
 */
export async function insertChunks(
  tx: Transaction,
  videoId: number,
  parts: NewChunk[],
  copiesHere = false,
): Promise<void> {
  for (let first = 0; first < parts.length; first += batchRows) {
    const batch = parts.slice(first, first + batchRows).map((part) => ({ ...part, videoId }))
    const rows = await tx.insert(chunks).values(batch).returning({ id: chunks.id, kind: chunks.kind })
    await announceChunks(
      tx,
      videoId,
      rows.filter(({ kind }) => kind !== 'lower' && !(kind === 'copy' && copiesHere)),
    )
  }
}

const announceChunks = (tx: Transaction, videoId: number, rows: { id: number }[]): Promise<void> =>
  announceEach(
    tx,
    'encode-chunk',
    rows.map(({ id }) => ({ video_id: videoId, chunk_id: id })),
  )

/** Selects the chunks of a video that are not encoded. */
const isOpen = (videoId: number) => and(eq(chunks.videoId, videoId), ne(chunks.state, 'encoded'))

/** Announces the chunks of a video, or those of them, that are not encoded and that no job does. The video must be locked. */
export async function announceOpen(tx: Transaction, videoId: number, those?: SQL): Promise<void> {
  const ofChunk = tx
    .select({ id: outbox.id })
    .from(outbox)
    .where(
      and(
        sql`${outbox.name} = 'encode-chunk' and ${outbox.payload} ->> 'video_id' = ${`${videoId}`}`,
        sql`${outbox.payload} ->> 'chunk_id' = ${chunks.id}::text`,
        isNull(outbox.failedAt),
      ),
    )
  const forgotten = await tx
    .select({ id: chunks.id })
    .from(chunks)
    .where(and(isOpen(videoId), those, notExists(ofChunk)))
    .orderBy(asc(chunks.id))
  await announceChunks(tx, videoId, forgotten)
}

/** Announces the copy of a picture that the job of the plan could not make. Locks the video. */
export const announceCopy = (db: Database, videoId: number): Promise<void> =>
  db.transaction(async (tx) => {
    if (await lockVideo(tx, videoId)) await announceOpen(tx, videoId, eq(chunks.kind, 'copy'))
  })

/**
 * Announces what a planned encode still needs and no job does: chunks that are not encoded, or its end. It brings a video
 * back to work that was given up, also the lower rung of one that plays, of which `parts` has the chunks. Locks the session
 * and then the video.
 */
export const resume = (db: Database, claim: VideoClaim, parts: NewChunk[]): Promise<void> =>
  db.transaction(async (tx) => {
    await lockVideo(tx, claim.videoId)
    const { videoId } = claim
    const mine = await tx
      .update(videos)
      .set({ leaseUntil: null })
      .where(whileVideoClaimed(claim))
      .returning({ id: videos.id })
    if (mine.length === 0) return
    const ofLower = and(eq(chunks.videoId, videoId), inArray(chunks.kind, ['picture', 'lower']))
    const hasLower = await tx.$count(rungs, and(eq(rungs.videoId, videoId), eq(rungs.rung, 'lower')))
    if (hasLower === 0 && (await tx.$count(chunks, ofLower)) === 0) {
      await insertChunks(
        tx,
        videoId,
        parts.filter(({ kind }) => kind === 'lower'),
      )
    }
    await announceOpen(tx, videoId)
    if ((await tx.$count(chunks, isOpen(videoId))) === 0) await announce(tx, 'finish-video', { video_id: videoId })
  })
