import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { type JobContext, PermanentError } from '@playtherapy/jobs'
import type { ObjectStore } from '@playtherapy/object-store'
import { type Container, type Database, outbox, sessions, videos } from '@playtherapy/schema'
import { createLogger, createMeter } from '@playtherapy/service-kit'
import { seedSession, testDatabase, testStore } from '@playtherapy/testing'
import { and, asc, eq, inArray, sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { createEncodeChunk } from '../src/encode/encode-chunk.ts'
import { createEncodeFailed, createEncodeVideo } from '../src/encode/encode-video.ts'
import { createFinishVideo } from '../src/encode/finish-video.ts'
import { createEncodeMeasures } from '../src/encode/measures.ts'
import type { EncodeResources, EncodeSettings } from '../src/encode/resources.ts'
import { probe } from '../src/ffmpeg/probe.ts'

const run = promisify(execFile)
export const never = new AbortController().signal

export const folder = await mkdtemp(join(tmpdir(), 'playtherapy-encode-'))
t.teardown(() => rm(folder, { recursive: true, force: true }))

export const picture = (size: string, seconds = 2, rate = 25) => [
  '-f',
  'lavfi',
  '-i',
  `testsrc2=size=${size}:rate=${rate}:duration=${seconds}`,
]
export const sound = (seconds = 2, layout = 'stereo') => [
  '-f',
  'lavfi',
  '-i',
  `anoisesrc=d=${seconds}:a=0.1,aformat=channel_layouts=${layout}`,
]
export const h264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p']
export const aac = ['-c:a', 'aac']

export async function make(name: string, ...args: string[]): Promise<string> {
  const file = join(folder, name)
  await run('ffmpeg', ['-y', '-loglevel', 'error', ...args, file])
  return file
}

/** The times and the hashes of the packets of an MP4. */
export async function packetsOf(bytes: Buffer): Promise<string[]> {
  const file = join(await mkdtemp(join(folder, 'packets-')), 'packets.mp4')
  await writeFile(file, bytes)
  const entries = ['-show_data_hash', 'md5', '-show_entries', 'packet=pts_time,data_hash']
  const { stdout } = await run('ffprobe', ['-v', 'error', ...entries, '-of', 'csv=p=0', file], {
    maxBuffer: 64 * 1024 ** 2,
  })
  return stdout.trim().split('\n')
}

/** Notes a rotation in a copy of a file, as a phone does; by tag or by option, as this ffmpeg has it. */
export async function turned(name: string, source: string): Promise<string> {
  const copy = ['-i', source, '-c', 'copy']
  return make(name, '-display_rotation:v:0', '90', ...copy).catch(() =>
    make(name, ...copy, '-metadata:s:v:0', 'rotate=90'),
  )
}

/** Takes the next job of a video's encode that is due out of the outbox, as the relay and a queue would. */
async function nextJob(db: Database, videoId: number) {
  const due = db
    .select({ id: outbox.id })
    .from(outbox)
    .where(
      and(
        inArray(outbox.name, ['encode-chunk', 'finish-video']),
        sql`${outbox.payload} ->> 'video_id' = ${`${videoId}`} and ${outbox.availableAt} <= now()`,
      ),
    )
    .orderBy(asc(outbox.id))
    .limit(1)
    .for('update', { skipLocked: true })
  const [job] = await db.delete(outbox).where(inArray(outbox.id, due)).returning({ payload: outbox.payload })
  return job?.payload
}

/** The jobs of an encode, alone and one after the other: the plan, each chunk, and the end. */
function encodeJobs(resources: EncodeResources) {
  const planVideo = createEncodeVideo(resources)
  const warnings: object[] = []
  const log: JobContext['log'] = {
    ...{ debug() {}, info() {}, error() {} },
    warn: (fields) => void warnings.push(fields),
    child: () => log,
  }
  const plan = (payload: { video_id: number }, { signal }: Pick<JobContext, 'signal'>) =>
    planVideo(payload, { signal, log })
  const chunk = createEncodeChunk(resources)
  const finish = createFinishVideo(resources)
  const encode = async ({ video_id }: { video_id: number }, context: Pick<JobContext, 'signal'>): Promise<void> => {
    await plan({ video_id }, context)
    for (;;) {
      const payload = await nextJob(resources.db, video_id)
      if (!payload) return
      if ('chunk_id' in payload) await chunk(payload, context)
      else await finish({ video_id }, context)
    }
  }
  return { plan, chunk, finish, encode, warnings }
}

/** A session whose recording is this file, and the jobs over real database and store. */
export async function prepare(
  t: Test,
  file: string,
  container: Container,
  { around, ...settings }: { around?: (store: ObjectStore) => ObjectStore } & Partial<EncodeSettings> = {},
) {
  const { db, as } = await testDatabase(t)
  const store = await testStore(t, 'file')
  const { sessionId } = await seedSession(db)
  const scratchDirectory = await mkdtemp(join(folder, 'scratch-'))
  const meter = createMeter(createLogger('test', 'silent'))
  const jobs = encodeJobs({
    db: as('worker'),
    measures: createEncodeMeasures(meter),
    store: around ? around(store) : store,
    settings: {
      ...{
        scratchDirectory,
        scratchMaxBytes: 1024 ** 3,
        maxSeconds: 43_200,
        memoryBytes: 768 * 1024 ** 2,
        stallSeconds: 30,
        ffmpegPath: 'ffmpeg',
        ffprobePath: 'ffprobe',
      },
      ...settings,
    },
  })
  let next = 0
  const upload = async (original = file, format = container) => {
    const path = `LOCAL/1/${sessionId}/${++next}.mp4`
    const stored = await store.put(`video/${path}`, createReadStream(original), { contentType: 'video/mp4' })
    const [video] = await db
      .insert(videos)
      .values({ sessionId, state: 'stored', path, container: format, storedAt: new Date(), ...stored })
      .returning()
    const video_id = video?.id ?? 0
    await db.update(sessions).set({ videoId: video_id, encodingStateId: 1 }).where(eq(sessions.id, sessionId))
    return { video_id, path }
  }
  const state = async () => {
    const [row] = await db.select().from(sessions).where(eq(sessions.id, sessionId))
    const all = await db.select().from(videos).orderBy(videos.id)
    return {
      encoding: row?.encodingStateId,
      script: row?.scriptStateId,
      length: row?.videoLength,
      videos: all.map(({ state, failure, attempt }) => ({ state, failure, attempt })),
    }
  }
  const keys = async () => {
    const found: string[] = []
    for await (const { key } of store.list('video/')) found.push(key)
    return found.sort()
  }
  const made = async (name: string) => {
    const [key] = (await keys()).filter((key) => key.includes(name))
    const copy = join(await mkdtemp(join(folder, 'result-')), 'result.mp4')
    await pipeline(await store.get(key ?? ''), createWriteStream(copy))
    const settings = { ffprobePath: 'ffprobe', memoryBytes: 768 * 1024 ** 2, signal: never }
    const found = await probe({ path: copy }, 'mp4', settings)
    return {
      ...found,
      video: found.pictures[0],
      audio: found.sounds[0],
      bytes: await readFile(copy),
      file: copy,
    }
  }
  const result = () => made(`encoded_${next}-`)
  return {
    meter,
    sound: () => made('audio_'),
    db,
    store,
    ...jobs,
    upload,
    state,
    keys,
    result,
    scratchDirectory,
    fail: createEncodeFailed(db),
  }
}

let shared: ReturnType<typeof prepare> | undefined

/** The rendition of a file that must be encoded; all of a test file are made in one session. */
export async function encoded(test: Test, file: string, container: Container) {
  shared ??= prepare(t, file, container)
  const job = await shared
  await job.encode({ video_id: (await job.upload(file, container)).video_id }, { signal: never })
  test.match(await job.state(), { encoding: 3 }, file)
  return job.result()
}

/** A server that no recording may lead ffmpeg to: its address, and the paths that were asked for. */
export async function canary(t: Test) {
  const seen: string[] = []
  const server = createServer((request, response) => {
    seen.push(request.url ?? '')
    response.end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  return { seen, url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}` }
}

/** A job that cannot succeed: its reason, and what it leaves. */
export async function refused(
  t: Test,
  file: string,
  container: Container,
  reason: RegExp,
  settings: Partial<EncodeSettings> = {},
) {
  const job = await prepare(t, file, container, settings)
  const { video_id } = await job.upload()
  const error = await job.encode({ video_id }, { signal: never }).catch((fault: unknown) => fault)
  t.type(error, PermanentError)
  t.match(error, { message: reason })
  await job.fail({ video_id }, error instanceof Error ? error.message : '')
  t.match(await job.state(), { encoding: 4, videos: [{ state: 'failed', failure: reason }] })
  t.equal((await job.keys()).length, 1, 'only the original is there')
  t.strictSame(await readdir(job.scratchDirectory), [])
}
