import { PostponedError } from '@playtherapy/jobs'
import {
  announce,
  audioRenditions,
  type ChunkKind,
  chunkFiles,
  chunks,
  type Database,
  encodePlans,
  isBegun,
  recentEncodes,
  rungs,
  sessions,
  type Transaction,
  videos,
} from '@playtherapy/schema'
import { and, eq, inArray, ne, notInArray, sql } from 'drizzle-orm'
import type { Lease } from './lease.ts'
import { leaseUntil, leftOf, lockCurrent, lockVideo } from './lock.ts'
import { insertChunks, type NewChunk } from './plan-repository.ts'
import { type Original, originalOf } from './video-repository.ts'

export interface ChunkClaim {
  chunkId: number
  videoId: number
  attempt: number
  kind: ChunkKind
  fromSeconds: number
  toSeconds: number
  plan: unknown
  original: Original
}

/** The kinds of chunks without which there is no rendition. */
const needed: ChunkKind[] = ['sound', 'copy', 'picture']
/** The kinds whose pictures are encoded; those of a copy are not, and each second of a recording is in one of these chunks at most. */
const encodesPicture: ChunkKind[] = ['picture', 'lower']

/** Matches a chunk, while this is its current attempt. */
const whileChunkClaimed = ({ chunkId, attempt }: Pick<ChunkClaim, 'chunkId' | 'attempt'>) =>
  and(eq(chunks.id, chunkId), eq(chunks.state, 'encoding'), eq(chunks.attempt, attempt))

/**
 * Begins an attempt at a chunk that is waiting, or encoding with an expired lease. Undefined when nothing is left to do; an
 * unfinished video that a newer one has replaced becomes superseded. Locks the session, the video and the chunk. Throws
 * PostponedError while another attempt is alive.
 */
export const claimChunk = (db: Database, videoId: number, chunkId: number): Promise<ChunkClaim | undefined> =>
  db.transaction(async (tx) => {
    const locked = await lockCurrent(tx, videoId)
    if (!locked) return undefined
    const original = originalOf(locked.video)
    if (!['encoding', 'encoded'].includes(locked.video.state) || !original) return undefined
    const [chunk] = await tx
      .select({ chunk: chunks, plan: encodePlans.plan, leaseMs: leftOf(chunks.leaseUntil) })
      .from(chunks)
      .innerJoin(encodePlans, eq(encodePlans.videoId, chunks.videoId))
      .where(and(eq(chunks.id, chunkId), eq(chunks.videoId, videoId), ne(chunks.state, 'encoded')))
    if (!chunk) return undefined
    if (chunk.leaseMs > 0) throw new PostponedError(Math.ceil(chunk.leaseMs))
    const attempt = chunk.chunk.attempt + 1
    await tx.update(chunks).set({ state: 'encoding', attempt, progress: 0, leaseUntil }).where(eq(chunks.id, chunkId))
    const { kind, fromSeconds, toSeconds } = chunk.chunk
    return { chunkId, videoId, attempt, kind, fromSeconds, toSeconds, plan: chunk.plan, original }
  })

/** The lease of an attempt at a chunk. It is lost, too, when the video was given up. */
export const leaseOfChunk = (db: Database, claim: ChunkClaim): Lease => ({
  async renew(progress) {
    const isWanted = sql`exists (select 1 from ${videos} join ${sessions} on ${sessions.videoId} = ${videos.id}
      where ${videos.id} = ${chunks.videoId} and ${videos.state} in ('encoding', 'encoded'))`
    const rows = await db
      .update(chunks)
      .set({ progress, leaseUntil })
      .where(and(whileChunkClaimed(claim), isWanted))
      .returning({ id: chunks.id })
    return rows.length > 0
  },
  async release() {
    await db.update(chunks).set({ leaseUntil: null }).where(whileChunkClaimed(claim))
  },
})

export type NewChunkFile = Omit<typeof chunkFiles.$inferInsert, 'chunkId'>

export interface NewChunkResult {
  files: NewChunkFile[]
  frames: number
  /** The sound for a transcriber. */
  audio?: { path: string; size: number; etag: string }
}

/** What the commit of a chunk has done. */
export interface Committed {
  isCommitted: boolean
  /** The paths of objects to remove. */
  spare: string[]
  /** Seconds since the recording was durable, if it can be played from this commit on. */
  playableSeconds?: number | undefined
}

/**
 * Makes the files of a chunk the current ones, and announces the end of the encode where it was the last. All objects are to be removed
 * when another attempt or a newer video has replaced this one, the session was deleted, or the video was given up; only the sound for a
 * transcriber where there is one already. Locks the session, the video and the chunk.
 */
export const commitChunk = (
  db: Database,
  claim: ChunkClaim,
  { files, frames, audio }: NewChunkResult,
): Promise<Committed> =>
  db.transaction(async (tx) => {
    const { videoId, chunkId, kind, fromSeconds, toSeconds } = claim
    const all = [...files, ...(audio ? [audio] : [])].map(({ path }) => path)
    const locked = await lockCurrent(tx, videoId)
    if (!locked || !['encoding', 'encoded'].includes(locked.video.state)) return { isCommitted: false, spare: all }
    const mine = await tx
      .update(chunks)
      .set({ state: 'encoded', progress: 100, leaseUntil: null, frames })
      .where(whileChunkClaimed(claim))
      .returning({ index: chunks.index })
    const [first] = mine
    if (!first) return { isCommitted: false, spare: all }
    if (encodesPicture.includes(kind)) await tx.insert(recentEncodes).values({ seconds: toSeconds - fromSeconds })
    if (files.length > 0) await tx.insert(chunkFiles).values(files.map((file) => ({ ...file, chunkId })))
    const isFresh = locked.video.state === 'encoding'
    const kept = audio
      ? await tx
          .insert(audioRenditions)
          .values({ ...audio, videoId, isFresh })
          .onConflictDoNothing()
          .returning({ path: audioRenditions.path })
      : []
    const group = needed.includes(kind) ? inArray(chunks.kind, needed) : notInArray(chunks.kind, needed)
    const open = await tx.$count(chunks, and(eq(chunks.videoId, videoId), group, ne(chunks.state, 'encoded')))
    if (open === 0) await announce(tx, 'finish-video', { video_id: videoId })
    const mayPlay = isFresh && first.index === 0 && needed.includes(kind)
    const spare = audio && kept.length === 0 ? [audio.path] : []
    return { isCommitted: true, spare, playableSeconds: mayPlay ? await playableAfter(tx, videoId) : undefined }
  })

/** Seconds from the moment when a recording was durable until now, if its beginning is encoded. */
async function playableAfter(tx: Transaction, videoId: number): Promise<number | undefined> {
  const [row] = await tx
    .select({ seconds: sql<number>`extract(epoch from clock_timestamp() - ${videos.storedAt})::float8` })
    .from(videos)
    .where(and(eq(videos.id, videoId), isBegun(videos.id)))
  return row?.seconds
}

/**
 * Begins the picture of an encode anew, as another plan says, because a chunk of the first one failed. Objects of its chunks
 * are left to the orphan sweep. Locks the session, the video and the chunks.
 */
export const replacePicture = (db: Database, claim: ChunkClaim, plan: unknown, parts: NewChunk[]): Promise<void> =>
  db.transaction(async (tx) => {
    const { videoId } = claim
    const locked = await lockVideo(tx, videoId)
    const mine = await tx.delete(chunks).where(whileChunkClaimed(claim)).returning({ id: chunks.id })
    if (!locked || mine.length === 0) return
    await tx.delete(chunks).where(and(eq(chunks.videoId, videoId), ne(chunks.kind, 'sound')))
    await tx.update(encodePlans).set({ plan, createdAt: sql`now()` }).where(eq(encodePlans.videoId, videoId))
    await insertChunks(tx, videoId, parts)
  })

/**
 * Gives up what a failed chunk belongs to, unless that is the whole encode: a lower rung beside a copy, or the rungs that were
 * to be added to an old rendition. Returns whether it was that. Locks the session and then the video.
 */
export const giveUpRungs = (db: Database, videoId: number, chunkId: number): Promise<boolean> =>
  db.transaction(async (tx) => {
    const locked = await lockVideo(tx, videoId)
    const [chunk] = await tx.select({ kind: chunks.kind }).from(chunks).where(eq(chunks.id, chunkId))
    if (!locked || !chunk) return false
    if (chunk.kind === 'lower') {
      await tx.delete(chunks).where(and(eq(chunks.videoId, videoId), eq(chunks.kind, 'lower')))
      // It removes what nobody needs any more, and makes previews that waited for the lower rung.
      await announce(tx, 'finish-video', { video_id: videoId })
      return true
    }
    if (locked.video.state !== 'encoded') return false
    for (const table of [chunks, rungs, encodePlans]) await tx.delete(table).where(eq(table.videoId, videoId))
    return true
  })
