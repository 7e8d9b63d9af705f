import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createS3Store, originalPath } from '@playtherapy/object-store'
import { announce, type Database, openDatabase, outbox, sessions, videos } from '@playtherapy/schema'
import { eq } from 'drizzle-orm'
import { emptyBucket } from '../bucket.ts'
import { until } from '../jobs.ts'
import { alternate, ratio } from '../measure.ts'
import type { Place, Running } from '../place.ts'
import type { Row } from '../row.ts'
import { addSessions } from '../seed.ts'

const [clips, sleeps] = [4, 32]

/** Returns the jobs per minute that `count` workers finish. The workers are ready before the jobs are announced. */
async function perMinute(
  { db, start, announceAll }: { db: Database; start(n: number): Promise<Running>; announceAll(): Promise<number> },
  count: number,
): Promise<number> {
  const workers = await Promise.all(Array.from({ length: count }, (_, n) => start(n)))
  const jobs = await announceAll()
  const began = performance.now()
  // Polling more often would slow the work down.
  await until(async () => (await db.$count(outbox)) === 0, 50)
  const minutes = (performance.now() - began) / 60_000
  await Promise.all(workers.map((worker) => worker.stop()))
  return jobs / minutes
}

/** Makes an ffmpeg command that runs on one core, which x264 and the decoders then regard as the whole machine. */
async function pinned(place: Place, core: number): Promise<string> {
  const program = join(place.directory, `ffmpeg-${core}`)
  await writeFile(program, `#!/bin/sh\nexec taskset -c ${core} ffmpeg "$@"\n`)
  await chmod(program, 0o755)
  return program
}

async function encodes(place: Place) {
  const url = await place.database('workers')
  const { db, close } = openDatabase({ url, max: 4, applicationName: 'bench' })
  const env = { ...(await place.settings(url)), QUEUE_URL: await place.redis(), QUEUE_PREFIX: '{encodes}' }
  const clip = join(place.directory, 'short.mp4')
  const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=1280x720:rate=24:duration=10', '-c:v', 'mpeg4', '-b:v', '4M']
  await promisify(execFile)('ffmpeg', ['-nostdin', '-loglevel', 'error', '-y', ...picture, clip])
  const bucket = await place.bucket()
  const store = createS3Store(bucket)

  async function announceAll(): Promise<number> {
    const made = await addSessions(url, clips)
    const put = async (id: number) => {
      const path = originalPath('LOCAL', 1, id, id)
      const stored = await store.put(`video/${path}`, createReadStream(clip), { contentType: 'video/mp4' })
      return { ...stored, sessionId: id, path }
    }
    const originals = await Promise.all(made.map(({ id }) => put(id)))
    await db.transaction(async (tx) => {
      for (const original of originals) {
        const row = { ...original, state: 'stored', container: 'mp4', storedAt: new Date() } as const
        const [video] = await tx.insert(videos).values(row).returning()
        const video_id = video?.id ?? 0
        await tx
          .update(sessions)
          .set({ videoId: video_id, encodingStateId: 1 })
          .where(eq(sessions.id, original.sessionId))
        await announce(tx, 'encode-video', { video_id })
      }
    })
    // Each encode also announces the removal of what it replaced; those jobs are not counted and take hardly any time.
    return clips
  }
  const start = async (n: number) =>
    place.start({
      program: 'worker',
      env: { ...env, FFMPEG_PATH: await pinned(place, n) },
      ready: '/health/ready',
    })
  const rates = await alternate(
    {
      one: () => perMinute({ db, start, announceAll }, 1),
      two: () => perMinute({ db, start, announceAll }, 2),
    },
    { warmUp: false },
  )
  store.close()
  await close()
  await emptyBucket(bucket)
  return rates
}

async function sleepers(place: Place) {
  const url = await place.database('sleepers')
  const { db, close } = openDatabase({ url, max: 4, applicationName: 'bench' })
  const env = { QUEUE_URL: await place.redis(), QUEUE_PREFIX: '{sleepers}' }
  const start = () => place.start({ program: { peer: 'sleeper.ts' }, args: [url], env, ready: '/' })
  const announceAll = async () => {
    await db.transaction(async (tx) => {
      for (let n = 1; n <= sleeps; n++) await announce(tx, 'delete-superseded', { session_id: n })
    })
    return sleeps
  }
  const rates = await alternate(
    {
      one: () => perMinute({ db, start, announceAll }, 1),
      four: () => perMinute({ db, start, announceAll }, 4),
    },
    { warmUp: false },
  )
  await close()
  return rates
}

/** Jobs finished in a minute by one worker process and by more: encodes with one core each, and jobs that only wait. */
export const workers: Row = {
  name: 'workers',
  async measure(place) {
    const encoded = await encodes(place)
    const slept = await sleepers(place)
    const rate = (perMinute: number) => perMinute
    return [
      ratio(
        { name: 'two workers: encodes of one thread a minute, against one', target: { least: 1.8 } },
        [encoded.two, encoded.one],
        rate,
      ),
      ratio(
        { name: 'four workers: sleeps of 200 ms a minute, against one', target: { least: 3.8 } },
        [slept.four, slept.one],
        rate,
      ),
    ]
  },
}
