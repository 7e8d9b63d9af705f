import { stat } from 'node:fs/promises'
import { chunks, openDatabase, outbox, videos } from '@playtherapy/schema'
import { and, count, desc, eq, lte, sql } from 'drizzle-orm'
import { until } from './jobs.ts'
import type { Place, Running } from './place.ts'
import { uploadForm } from './recordings.ts'
import { addSessions, therapist } from './seed.ts'

/** The state of an encode is read this often. */
const pollMs = 50

/** An upload that is encoded. */
export interface Encode {
  videoId: number
  /** Path of its session. */
  path: string
  /** When its 201 arrived, by `performance.now()`. */
  beganMs: number
}

/** A media service and its database, to which recordings are uploaded, and workers that encode them. */
export async function openEncodes(place: Place, name: string) {
  const databaseUrl = await place.database(name)
  const { db, close } = openDatabase({ url: databaseUrl, max: 1, applicationName: 'bench' })
  const env = await place.settings(databaseUrl)
  const media = await place.start({ program: 'media', env, ready: '/health/ready' })
  const headers = place.as(therapist)

  return {
    media,
    headers,
    /** Starts a worker, on this core alone if one is given. */
    startWorker: async (core?: number): Promise<Running> => {
      const queue = { QUEUE_URL: await place.redis(), QUEUE_PREFIX: `{${name}}` }
      return place.start({
        program: 'worker',
        env: { ...env, ...queue },
        ready: '/health/ready',
        ...(core !== undefined && { core }),
      })
    },
    /** Uploads a recording to a new session. */
    async upload(file: string): Promise<Encode> {
      const [session] = await addSessions(databaseUrl, 1)
      if (!session) throw new Error('no session')
      await uploadForm(`${media.url}${session.path}/video`, headers, file, (await stat(file)).size)
      const beganMs = performance.now()
      const [video] = await db.select({ id: videos.id }).from(videos).orderBy(desc(videos.id)).limit(1)
      return { videoId: video?.id ?? 0, path: session.path, beganMs }
    },
    /** Waits until the MP4 is there. Returns the seconds since the 201. */
    async encoded({ videoId, beganMs }: Encode): Promise<number> {
      // This reads the database directly: requests to the service would slow the encode down.
      await until(async () => {
        const [video] = await db.select({ state: videos.state }).from(videos).where(eq(videos.id, videoId))
        if (video?.state === 'failed') throw new Error('the encode failed')
        return video?.state === 'encoded'
      }, pollMs)
      return (performance.now() - beganMs) / 1000
    },
    /** Waits until no job is left but those of later. */
    idle: () => until(async () => (await db.$count(outbox, lte(outbox.availableAt, sql`now()`))) === 0, pollMs),
    /** Returns how many chunks of a video there are, are encoded, and are being encoded, and how many attempts were lost. */
    async chunksOf({ videoId }: Encode) {
      const [row] = await db
        .select({
          all: count(),
          encoded: sql<number>`(count(*) filter (where ${chunks.state} = 'encoded'))::int`,
          encoding: sql<number>`(count(*) filter (where ${chunks.state} = 'encoding'))::int`,
          lost: sql<number>`coalesce(sum(${chunks.attempt} - 1) filter (where ${chunks.attempt} > 0), 0)::int`,
        })
        .from(chunks)
        .where(and(eq(chunks.videoId, videoId)))
      return row ?? { all: 0, encoded: 0, encoding: 0, lost: 0 }
    },
    async stop() {
      await media.stop()
      await close()
    },
  }
}

export type Encodes = Awaited<ReturnType<typeof openEncodes>>
