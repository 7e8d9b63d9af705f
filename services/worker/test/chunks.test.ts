import { chmod, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PermanentError, PostponedError } from '@playtherapy/jobs'
import {
  audioRenditions,
  chunkFiles,
  chunks,
  encodePlans,
  outbox,
  renditions,
  rungs,
  sessions,
  videos,
} from '@playtherapy/schema'
import { asc, eq, sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { createChunkFailed } from '../src/encode/encode-chunk.ts'
import { chunksOf as partsOf, toEncodePlan } from '../src/encode/plan.ts'
import { commitPlan } from '../src/encode/plan-repository.ts'
import { claimVideo } from '../src/encode/video-repository.ts'
import { aac, h264, make, never, packetsOf, prepare } from './encode-support.ts'

/** Long enough for several chunks, and small enough to be encoded at once. It must be encoded: VP9 in Matroska. */
const long = await make(
  'long.mkv',
  ...['-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=10:duration=75'],
  ...['-f', 'lavfi', '-i', 'sine=d=75', '-c:v', 'mpeg4', '-g', '20', '-c:a', 'aac'],
)
/** Can be copied, and is high enough for a lower rung. */
const playable = await make(
  'playable.mp4',
  ...['-f', 'lavfi', '-i', 'testsrc2=size=1280x720:rate=10:duration=3'],
  ...['-f', 'lavfi', '-i', 'sine=d=3', ...h264, ...aac],
)

type Job = Awaited<ReturnType<typeof prepare>>

const jobsOf = async ({ db }: Job) =>
  (await db.select().from(outbox).orderBy(asc(outbox.id))).map(({ name, payload }) => ({ name, payload }))
const chunksOf = ({ db }: Job) => db.select().from(chunks).orderBy(asc(chunks.id))

/** Runs the jobs of these chunks. */
const encodeChunks = async (job: Job, video_id: number, which: { id: number }[]) => {
  for (const { id } of which) await job.chunk({ video_id, chunk_id: id }, { signal: never })
}

/** That of {@link long}, once it was made. */
let plan: typeof encodePlans.$inferSelect | undefined

/** The jobs of a long recording that is planned. All have the same plan, so that it is made only once. */
async function prepareLong(t: Test) {
  const job = await prepare(t, long, 'matroska')
  const { video_id, path } = await job.upload()
  const claim = plan && (await claimVideo(job.db, video_id))
  if (plan && claim) {
    const { seconds, targetSeconds } = plan
    const parts = partsOf(await toEncodePlan(plan.plan))
    await commitPlan(job.db, claim, { plan: plan.plan, seconds, targetSeconds, chunks: parts, copiesHere: true })
  } else {
    await job.plan({ video_id }, { signal: never })
  }
  plan ??= (await job.db.select().from(encodePlans))[0]
  return { job, video_id, path, planned: await chunksOf(job) }
}

t.test('an encode of several chunks, from its plan on', async (t) => {
  const job = await prepare(t, long, 'matroska', {
    around: (store) => ({
      ...store,
      async put(key, body, options) {
        const stored = await store.put(key, body, options)
        // As a pause of the whole process, in which another worker claims the video.
        if (key.includes('rung_')) await overtake()
        return stored
      },
    }),
  })
  let overtake = async () => {}
  const { video_id } = await job.upload()
  await job.plan({ video_id }, { signal: never })
  const planned = await chunksOf(job)

  await t.test('a plan announces a job for the sound and for each chunk, the first ones being short', async (t) => {
    t.match(
      planned.map(({ kind, index, state }) => ({ kind, index, state })),
      [
        { kind: 'sound', index: 0, state: 'waiting' },
        ...[0, 1, 2, 3, 4].map((index) => ({ kind: 'picture', index, state: 'waiting' })),
      ],
    )
    const pictures = planned.slice(1)
    t.equal(pictures[0]?.fromSeconds, 0)
    t.ok((pictures[0]?.toSeconds ?? 99) < 7, 'a therapist waits for the first seconds only')
    for (const [index, { fromSeconds }] of pictures.entries()) {
      if (index > 0) t.equal(fromSeconds, pictures[index - 1]?.toSeconds, 'no gap and no overlap')
    }
    t.match(
      await jobsOf(job),
      planned.map(({ id }) => ({ name: 'encode-chunk', payload: { video_id, chunk_id: id } })),
    )
    t.match(await job.state(), { encoding: 2, videos: [{ state: 'encoding' }] })
  })

  await t.test('chunks may be encoded in any order; the last one announces the end', async (t) => {
    const backwards = planned.toReversed()
    await job.db.delete(outbox)
    await encodeChunks(job, video_id, backwards.slice(0, -1))
    t.strictSame(await jobsOf(job), [])
    t.equal(await job.db.$count(audioRenditions), 0)
    await encodeChunks(job, video_id, backwards.slice(-1))
    t.match(await jobsOf(job), [{ name: 'finish-video', payload: { video_id } }])
    t.equal(await job.db.$count(audioRenditions), 1, 'the sound of the transcriber needs no rendition')
    t.match(await job.state(), { encoding: 2 })
  })

  await t.test('an end that was overtaken removes nothing that the next attempt needs', async (t) => {
    const before = await job.keys()
    overtake = async () => {
      await job.db.update(videos).set({ attempt: sql`attempt + 1` })
    }
    await job.finish({ video_id }, { signal: never })
    t.equal(await job.db.$count(chunks), planned.length)
    t.strictSame(
      (await job.keys()).filter((key) => !before.includes(key)),
      [],
      'and leaves nothing',
    )
    overtake = async () => {}
    await job.db.update(videos).set({ leaseUntil: null })
    await job.finish({ video_id }, { signal: never })
    t.match(await job.state(), { encoding: 3, length: '00:01:15', videos: [{ state: 'encoded' }] })
  })

  await t.test('the rendition has all that the chunks have', async (t) => {
    const frames = (await chunksOf(job)).reduce(
      (sum, chunk) => sum + (chunk.kind === 'picture' ? (chunk.frames ?? 0) : 0),
      0,
    )
    t.equal(frames, 750)
    const [rendition] = await job.db.select().from(renditions)
    t.ok(Math.abs((rendition?.durationMs ?? 0) - 75_000) < 150)
    t.strictSame((await job.db.select().from(rungs)).map(({ rung }) => rung).sort(), ['sound', 'upper'])
  })

  await t.test('a finished rung has the bytes that its readers saw before', async (t) => {
    const files = await job.db
      .select({ file: chunkFiles })
      .from(chunkFiles)
      .innerJoin(chunks, eq(chunks.id, chunkFiles.chunkId))
      .where(eq(chunkFiles.rung, 'upper'))
      .orderBy(asc(chunks.index))
    const [rung] = await job.db.select().from(rungs).where(eq(rungs.rung, 'upper'))
    t.equal(rung?.parts.length, files.length)
    t.strictSame(
      rung?.parts.map(({ headerBytes }) => headerBytes > 0),
      files.map((_, index) => index === 0),
      'one header serves all',
    )
    const read = async (path = '', start = 0, end?: number) =>
      Buffer.concat(
        await (await job.store.get(`video/${path}`, { start, ...(end !== undefined && { end }) })).toArray(),
      )
    for (const [index, { file }] of files.entries()) {
      const part = rung?.parts[index]
      const bytes = file.size - file.headerBytes
      const start = (part?.start ?? 0) + (part?.headerBytes ?? 0)
      t.ok((await read(rung?.path, start, start + bytes - 1)).equals(await read(file.path, file.headerBytes)))
    }
  })

  await t.test('an encode can be finished again and again, and ends without objects of chunks', async (t) => {
    const before = await job.keys()
    await job.finish({ video_id }, { signal: never })
    t.strictSame(await job.keys(), before, 'readers of chunks may still be there')
    await job.db.update(rungs).set({ createdAt: sql`now() - interval '1 hour'` })
    await job.finish({ video_id }, { signal: never })
    await job.finish({ video_id }, { signal: never })
    t.equal(await job.db.$count(chunks), 0)
    const kinds = (await job.keys()).map((key) => key.split('/').at(-1)?.split('_')[0])
    // The sound was one chunk, whose object became that of the rung.
    t.strictSame(kinds.sort(), ['1.mp4', 'audio', 'chunk', 'encoded', 'poster', 'rung', 'storyboard'])
  })

  await t.test('an old rendition gets rungs, keeps playing, and is transcribed only once', async (t) => {
    const rendition = await job.db.select().from(renditions)
    await job.db.update(audioRenditions).set({ isFresh: false })
    for (const table of [chunks, rungs, encodePlans]) await job.db.delete(table)

    await job.encode({ video_id }, { signal: never })
    t.equal(await job.db.$count(rungs), 2)
    t.strictSame(await job.db.select().from(renditions), rendition)
    t.match(await job.db.select().from(audioRenditions), [{ isFresh: false }])
    t.equal((await job.keys()).filter((key) => key.includes('audio_')).length, 1)
    t.match(await job.state(), { encoding: 3, videos: [{ state: 'encoded' }] })
  })
})

t.test('the beginning of a long sound is made apart, with the very bytes of the whole', async (t) => {
  const seconds = ['-f', 'lavfi', '-i', 'anoisesrc=a=0.2:d=125:r=44100,aformat=channel_layouts=stereo']
  const quiet = ['-f', 'lavfi', '-i', 'color=size=64x64:rate=2:duration=125']
  const file = await make('talk.mkv', ...quiet, ...seconds, '-c:v', 'mpeg4', '-g', '8', '-c:a', 'aac')
  const job = await prepare(t, file, 'matroska')
  const { video_id } = await job.upload()
  await job.plan({ video_id }, { signal: never })
  t.strictSame(
    (await chunksOf(job)).slice(0, 5).map(({ kind }) => kind),
    ['sound', 'picture', 'picture', 'picture', 'sound'],
  )
  await job.encode({ video_id }, { signal: never })
  const ofSound = async () => {
    const [rung] = await job.db.select().from(rungs).where(eq(rungs.rung, 'sound'))
    const bytes = Buffer.concat(await (await job.store.get(`video/${rung?.path}`)).toArray())
    return { parts: rung?.parts ?? [], packets: await packetsOf(bytes) }
  }
  const parted = await ofSound()
  t.equal(parted.parts.length, 2)
  t.strictSame(
    parted.parts.map(({ headerBytes }) => headerBytes > 0),
    [true, false],
  )

  const [plan] = await job.db.select().from(encodePlans)
  for (const table of [chunks, rungs, encodePlans]) await job.db.delete(table)
  await job.db
    .insert(encodePlans)
    .values({ ...plan, videoId: video_id, plan: plan?.plan, seconds: 125, targetSeconds: 6 })
  const whole = { videoId: video_id, kind: 'sound', index: 0, fromSeconds: 0, toSeconds: 125 } as const
  const [chunk] = await job.db.insert(chunks).values(whole).returning({ id: chunks.id })
  await job.chunk({ video_id, chunk_id: chunk?.id ?? 0 }, { signal: never })
  await job.finish({ video_id }, { signal: never })
  t.strictSame(parted.packets, (await ofSound()).packets)
})

t.test('two workers with the same chunk make it once', async (t) => {
  const { job, video_id } = await prepareLong(t)
  const [, first] = await chunksOf(job)
  const chunk_id = first?.id ?? 0
  const twice = [1, 2].map(() => job.chunk({ video_id, chunk_id }, { signal: never }))
  const results = await Promise.allSettled(twice)
  t.match(
    results.filter(({ status }) => status === 'rejected'),
    [{ reason: PostponedError }],
  )
  await job.chunk({ video_id, chunk_id }, { signal: never })
  t.match((await chunksOf(job))[1], { state: 'encoded', attempt: 1 })
})

t.test('an attempt at a chunk that lost its lease commits nothing', async (t) => {
  const { job, video_id } = await prepareLong(t)
  const [, first] = await chunksOf(job)
  const chunk_id = first?.id ?? 0
  const slow = job.chunk({ video_id, chunk_id }, { signal: never })
  while ((await chunksOf(job))[1]?.state !== 'encoding') await new Promise((resolve) => setTimeout(resolve, 1))
  await job.db.update(chunks).set({ leaseUntil: null }).where(eq(chunks.id, chunk_id))
  await Promise.all([slow, job.chunk({ video_id, chunk_id }, { signal: never })])
  t.match((await chunksOf(job))[1], { state: 'encoded', attempt: 2 })
  const made = (await job.keys()).filter((key) => key.includes('chunk_'))
  t.equal(made.length, 1, 'one object of a rung')
})

t.test('a newer recording ends the chunks of an older one', async (t) => {
  const { job, video_id, planned } = await prepareLong(t)
  await encodeChunks(job, video_id, planned.slice(0, 2))
  await job.upload(playable, 'mp4')
  await encodeChunks(job, video_id, planned.slice(2))
  t.match(await job.state(), { videos: [{ state: 'superseded' }, { state: 'stored' }] })
  t.equal(await job.db.$count(chunks, eq(chunks.state, 'encoded')), 2)
})

t.test('a recording that was deleted ends its chunks without an error', async (t) => {
  const { job, video_id, path, planned } = await prepareLong(t)
  const running = encodeChunks(job, video_id, planned.slice(1, 2))
  await job.db.delete(sessions)
  await job.store.delete([`video/${path}`])
  await running
  await encodeChunks(job, video_id, planned)
  await job.finish({ video_id }, { signal: never })
  t.strictSame(await job.keys(), [])
})

t.test('a chunk that fails ends the encode, and a retry does only what is missing', async (t) => {
  const { job, video_id, planned } = await prepareLong(t)
  await encodeChunks(job, video_id, planned.slice(0, 2))
  const failed = { video_id, chunk_id: planned[2]?.id ?? 0 }
  t.equal(await createChunkFailed(job.db)(failed, 'The disk is full.'), true)
  t.match(await job.state(), { encoding: 4, videos: [{ state: 'failed', failure: 'The disk is full.' }] })
  await encodeChunks(job, video_id, planned.slice(3))
  t.equal(await job.db.$count(chunks, eq(chunks.state, 'encoded')), 2, 'the others stop')

  await job.db.delete(outbox)
  await job.db.update(videos).set({ state: 'stored', failure: null })
  await job.db.update(sessions).set({ encodingStateId: 1 })
  await job.plan({ video_id }, { signal: never })
  await job.plan({ video_id }, { signal: never })
  t.match(
    await jobsOf(job),
    planned.slice(2).map(({ id }) => ({ payload: { video_id, chunk_id: id } })),
  )
  await job.encode({ video_id }, { signal: never })
  t.match(await job.state(), { encoding: 3 })
  t.strictSame(
    (await chunksOf(job)).slice(0, 2).map(({ attempt }) => attempt),
    [1, 1],
  )
})

t.test('a picture that plays is copied first, and its lower rung comes after the rendition', async (t) => {
  const job = await prepare(t, playable, 'mp4')
  const { video_id } = await job.upload()
  await job.plan({ video_id }, { signal: never })
  const planned = await chunksOf(job)
  t.strictSame(
    planned.map(({ kind }) => kind),
    ['sound', 'copy', 'lower'],
  )
  t.equal(planned[1]?.state, 'encoded', 'by the job of the plan, while that of the sound begins')
  await encodeChunks(job, video_id, planned.slice(0, 2))
  await job.finish({ video_id }, { signal: never })
  t.match(await job.state(), { encoding: 3, videos: [{ state: 'encoded' }] })
  await encodeChunks(job, video_id, planned.slice(2))
  await job.finish({ video_id }, { signal: never })
  const made = await job.db.select().from(rungs)
  t.match(
    made.toSorted((a, b) => b.height - a.height).map(({ rung, width, height }) => ({ rung, width, height })),
    [
      { rung: 'upper', width: 1280, height: 720 },
      { rung: 'lower', width: 854, height: 480 },
      { rung: 'sound', width: 0, height: 0 },
    ],
  )
})

t.test('ffmpeg reads the rungs of an MP4 in turn, and never sleeps', async (t) => {
  const folder = t.testdir({ ffmpeg: '#!/bin/sh\necho "$@" >> "$0.log"\nexec ffmpeg "$@"\n' })
  await chmod(join(folder, 'ffmpeg'), 0o755)
  const job = await prepare(t, playable, 'mp4', { ffmpegPath: join(folder, 'ffmpeg') })
  await job.encode(await job.upload(), { signal: never })
  const commands = (await readFile(join(folder, 'ffmpeg.log'), 'utf8')).trim().split('\n')
  const inputsOf = (command: string) => command.split(' -i ').slice(0, -1)
  const joins = commands.map(inputsOf).filter(({ length }) => length === 2)
  t.equal(joins.length, 1)
  t.ok(joins.flat().every((input) => input.includes('-thread_queue_size 0')))
})

t.test('a recording stays as it is when its lower rung fails', async (t) => {
  const job = await prepare(t, playable, 'mp4')
  const { video_id } = await job.upload()
  await job.plan({ video_id }, { signal: never })
  const planned = await chunksOf(job)
  await encodeChunks(job, video_id, planned.slice(0, 2))
  await job.finish({ video_id }, { signal: never })
  t.equal(await createChunkFailed(job.db)({ video_id, chunk_id: planned[2]?.id ?? 0 }, 'x'), true)
  t.match(await job.state(), { encoding: 3, videos: [{ state: 'encoded' }] })
  t.strictSame(
    (await chunksOf(job)).map(({ kind }) => kind),
    ['sound', 'copy'],
  )
  // As `npm run jobs -- retry` announces it.
  await job.db.delete(outbox)
  await job.encode({ video_id }, { signal: never })
  t.match(await job.state(), { encoding: 3, videos: [{ state: 'encoded' }] })
  t.equal(await job.db.$count(rungs, eq(rungs.rung, 'lower')), 1, 'a retry makes it')
})

t.test('where there is no picture in a part, all are encoded in one piece', async (t) => {
  const { job, video_id } = await prepareLong(t)
  // A part after the end of the recording, as if nothing of it could be decoded.
  await job.db.execute(sql`update encode_plans set plan = jsonb_set(plan, '{cuts}', plan -> 'cuts' || '[200, 230]')`)
  await job.db.execute(sql`update chunks set from_seconds = 200, to_seconds = 230 where kind = 'picture' and index = 2`)
  await job.encode({ video_id }, { signal: never })
  t.match(await job.state(), { encoding: 3, videos: [{ state: 'encoded' }] })
  t.strictSame(
    (await chunksOf(job)).map(({ kind, frames }) => (kind === 'picture' ? frames : kind)),
    ['sound', 750],
  )
})

t.test('an original that was swapped after the plan is refused', async (t) => {
  const { job, video_id, path } = await prepareLong(t)
  await job.store.delete([`video/${path}`])
  await job.store.put(`video/${path}`, Buffer.from('another file'), { contentType: 'video/mp4' })
  const [, first] = await chunksOf(job)
  await t.rejects(job.chunk({ video_id, chunk_id: first?.id ?? 0 }, { signal: never }), PermanentError)
})

t.test('a picture that begins long after the sound is shown from the beginning on', async (t) => {
  const late = ['-itsoffset', '7', '-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=10:duration=3']
  const tracks = ['-map', '1:v', '-map', '0:a', '-vsync', 'passthrough']
  const file = await make('late.mp4', '-f', 'lavfi', '-i', 'sine=d=10', ...late, ...tracks, ...h264, ...aac)
  const job = await prepare(t, file, 'mp4')
  const { video_id } = await job.upload()
  await job.encode({ video_id }, { signal: never })
  t.match(await job.state(), { encoding: 3 })
  const [rung] = await job.db.select().from(rungs).where(eq(rungs.rung, 'upper'))
  const bytes = Buffer.concat(await (await job.store.get(`video/${rung?.path}`)).toArray())
  const [first, second] = (await packetsOf(bytes)).map((line) => Number.parseFloat(line))
  t.equal(first, 0)
  t.ok(Math.abs((second ?? 0) - 7.1) < 0.05, `the second frame is shown at ${second} s`)
  const [plan] = await job.db.select().from(encodePlans)
  t.ok((plan?.targetSeconds ?? 0) >= 7)
})

t.test('both rungs of a picture in 8K fit into the memory of one ffmpeg', async (t) => {
  const black = ['-f', 'lavfi', '-i', 'color=black:size=8192x4320:rate=12:duration=1']
  const hevc = ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none']
  const job = await prepare(t, await make('8k.mp4', ...black, ...hevc), 'mp4')
  await job.encode(await job.upload(), { signal: never })
  t.match(await job.state(), { encoding: 3 })
  t.equal(await job.db.$count(rungs), 2)
})
