import { turnsOf } from '@playtherapy/jobs'
import {
  type ChunkKind,
  cases,
  chunks,
  type JobName,
  type JobPayloads,
  type OpenDatabase,
  outbox,
  sessions,
  videos,
} from '@playtherapy/schema'
import { inArray } from 'drizzle-orm'
import type { Recording } from './recordings.ts'

/** Jobs about a video, which have turns. */
export type VideoJob = Extract<JobName, 'encode-video' | 'encode-chunk' | 'finish-video'>

export interface NewJob {
  name: VideoJob
  payload: JobPayloads[VideoJob]
}

/** The outbox of a database, which gives jobs their turns by the statement that also the relay uses. */
export function openOutbox({ db }: OpenDatabase) {
  let ended: number[] = []
  return {
    /** Announces jobs. Returns the id and the turn of each, in their order. */
    announce: (jobs: NewJob[]): Promise<{ id: number; turn: number }[]> =>
      db.transaction(async (tx) => {
        if (ended.length > 0) await tx.delete(outbox).where(inArray(outbox.id, ended))
        ended = []
        const rows = await tx.insert(outbox).values(jobs).returning()
        const turns = await turnsOf(tx, rows)
        return rows.map(({ id }) => ({ id, turn: turns.get(id) ?? 0 }))
      }),
    /** Notes that a job has ended. Its row is removed before the next turns are asked for. */
    end: (id: number) => void ended.push(id),
    /** Removes all jobs and chunks. */
    async clear() {
      ended = []
      await db.delete(outbox)
      await db.delete(chunks)
    },
  }
}

export type Outbox = ReturnType<typeof openOutbox>

/** Inserts the recordings as stored videos. Returns the id of each video, in their order. */
export async function addVideos({ db }: OpenDatabase, recordings: Recording[]): Promise<number[]> {
  const ids: number[] = []
  for (const [n, { therapist }] of recordings.entries()) {
    const [owned] = await db.insert(cases).values({ userId: therapist, givenName: '민수' }).returning()
    const values = { caseId: owned?.id ?? 0, name: 'session' }
    const [session] = await db.insert(sessions).values(values).returning()
    const original = { state: 'stored', container: 'mp4', size: 1, etag: '"o"', storedAt: new Date() } as const
    const row = { ...original, sessionId: session?.id ?? 0, path: `LOCAL/simulated/${n}.mp4` }
    const [video] = await db.insert(videos).values(row).returning()
    ids.push(video?.id ?? 0)
  }
  return ids
}

/** Inserts the chunks of a video. Returns their ids, in their order. */
export async function addChunks(
  { db }: OpenDatabase,
  videoId: number,
  planned: { kind: ChunkKind; index: number }[],
): Promise<number[]> {
  const values = planned.map((chunk) => ({ ...chunk, videoId, fromSeconds: 0, toSeconds: 0 }))
  return (await db.insert(chunks).values(values).returning({ id: chunks.id })).map(({ id }) => id)
}
