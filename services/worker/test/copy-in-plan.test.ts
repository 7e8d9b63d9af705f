import { EventEmitter, once } from 'node:events'
import { chmod, copyFile, open } from 'node:fs/promises'
import { join } from 'node:path'
import { PermanentError } from '@playtherapy/jobs'
import { chunks, outbox, rungs, sessions, videos } from '@playtherapy/schema'
import { asc, eq } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { aac, folder, h264, make, never, prepare } from './encode-support.ts'

const bt709 = '-color_primaries bt709 -color_trc bt709 -colorspace bt709'.split(' ')
/** Its picture can be copied, and needs no lower rung. */
const playable = await make(
  'playable.mp4',
  ...['-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=10:duration=3'],
  ...['-f', 'lavfi', '-i', 'sine=d=3', ...h264, ...bt709, ...aac],
)

/** Its picture can be copied, and is high enough for a lower rung. */
const high = await make('high.mp4', '-f', 'lavfi', '-i', 'testsrc2=size=1280x720:rate=10:duration=1', ...h264, ...bt709)

type Job = Awaited<ReturnType<typeof prepare>>

/** The jobs over a store that waits for `before` before it stores a copy in the job of the plan. */
async function prepareCopy(t: Test, before: (job: Job) => Promise<void>, file = playable): Promise<Job> {
  const job: Job = await prepare(t, file, 'mp4', {
    around: (store) => ({
      ...store,
      async put(key, ...rest) {
        if (key.includes('chunk_') && isFirst) {
          isFirst = false
          await before(job)
        }
        return store.put(key, ...rest)
      },
    }),
  })
  let isFirst = true
  return job
}

const copyOf = async ({ db }: Job) => (await db.select().from(chunks).where(eq(chunks.kind, 'copy')))[0]
const announced = async ({ db }: Job) =>
  (await db.select().from(outbox).orderBy(asc(outbox.id))).map(({ payload }) => payload)
const leftovers = async (job: Job) => {
  const known = (await job.db.select().from(rungs)).map(({ path }) => `video/${path}`)
  return (await job.keys()).filter((key) => /(chunk|rung)_/.test(key) && !known.includes(key))
}

t.test('a copy that fails in the job of the plan is made by a job of its own', async (t) => {
  const job = await prepareCopy(t, () => Promise.reject(new Error('the store is away')))
  const { video_id } = await job.upload()
  await job.plan({ video_id }, { signal: never })
  const copy = await copyOf(job)
  t.match(copy, { state: 'encoding', attempt: 1, leaseUntil: null })
  const [, ofCopy, ...others] = await announced(job)
  t.match(ofCopy, { video_id, chunk_id: copy?.id })
  t.strictSame(others, [], 'once')
  t.match(job.warnings, [{ err: { message: 'the store is away' }, chunk_id: copy?.id }])
  await job.encode({ video_id }, { signal: never })
  t.match(await job.state(), { encoding: 3, videos: [{ state: 'encoded' }] })
  t.match(await copyOf(job), { state: 'encoded', attempt: 2 })
  t.strictSame(await leftovers(job), [])
})

t.test('the lower rung beside a copy that fails comes at the end all the same', async (t) => {
  const job = await prepareCopy(t, () => Promise.reject(new Error('the store is away')), high)
  const { video_id } = await job.upload()
  await job.plan({ video_id }, { signal: never })
  t.equal(await job.db.$count(chunks, eq(chunks.kind, 'lower')), 1)
  t.strictSame(await announced(job), [{ video_id, chunk_id: (await copyOf(job))?.id }])
})

t.test('a copy that cannot succeed is not tried again', async (t) => {
  const job = await prepareCopy(t, () => Promise.reject(new PermanentError('too large')))
  const { video_id } = await job.upload()
  await t.rejects(job.plan({ video_id }, { signal: never }), PermanentError)
  t.equal((await announced(job)).length, 1, 'that of the sound')
  await job.fail({ video_id }, 'too large')
  t.match(await job.state(), { encoding: 4, videos: [{ state: 'failed', failure: 'too large' }] })
})

t.test('a copy beside an old rendition that cannot succeed is given up by its own job', async (t) => {
  const job = await prepareCopy(t, () => Promise.reject(new PermanentError('too large')))
  const { video_id } = await job.upload()
  for (const state of ['encoding', 'encoded'] as const) await job.db.update(videos).set({ state })
  await job.plan({ video_id }, { signal: never })
  t.match((await announced(job))[1], { video_id, chunk_id: (await copyOf(job))?.id })
})

t.test('a large copy has a job of its own, so that the next plan does not wait for it', async (t) => {
  const large = join(folder, 'large.mp4')
  await copyFile(playable, large)
  const file = await open(large, 'a')
  const box = Buffer.from('\0\0\0\0free', 'latin1')
  box.writeUInt32BE(256 * 1024 ** 2)
  await file.write(box)
  await file.truncate((await file.stat()).size + 256 * 1024 ** 2 - box.length)
  await file.close()
  const job = await prepare(t, large, 'mp4')
  const { video_id } = await job.upload()
  await job.plan({ video_id }, { signal: never })
  const copy = await copyOf(job)
  t.match(copy, { state: 'waiting' })
  t.match((await announced(job))[1], { video_id, chunk_id: copy?.id })
})

t.test('a picture that cannot be copied after all is encoded', async (t) => {
  const script = '#!/bin/sh\ncase "$*" in *filter_units=pass_types=7*) exit 1;; esac\nexec ffmpeg "$@"\n'
  const folder = t.testdir({ ffmpeg: script })
  await chmod(join(folder, 'ffmpeg'), 0o755)
  const job = await prepare(t, playable, 'mp4', { ffmpegPath: join(folder, 'ffmpeg') })
  const { video_id } = await job.upload()
  await job.plan({ video_id }, { signal: never })
  const [, picture] = await job.db.select().from(chunks).orderBy(asc(chunks.id))
  t.equal(await job.db.$count(chunks, eq(chunks.kind, 'copy')), 0)
  t.match(picture, { kind: 'picture', state: 'waiting' })
  t.equal((await announced(job)).length, 2)
  await job.encode({ video_id }, { signal: never })
  t.match(await job.state(), { encoding: 3, videos: [{ state: 'encoded' }] })
  t.strictSame(await leftovers(job), [])
})

for (const state of ['waiting', 'encoding'] as const) {
  t.test(
    `a copy whose worker died, ${state === 'waiting' ? 'before' : 'while'} it was made, is made once`,
    async (t) => {
      const worker = new EventEmitter()
      const copied = once(worker, 'copied')
      const job = await prepareCopy(t, async () => {
        worker.emit('copied')
        await once(worker, 'continue')
      })
      const { video_id } = await job.upload()
      const dead = job.plan({ video_id }, { signal: never })
      await copied
      await job.db.update(chunks).set({ state, attempt: 2, leaseUntil: null }).where(eq(chunks.kind, 'copy'))
      // The lease of the dead attempt has run out. The queue delivers the job of the plan again.
      await job.encode({ video_id }, { signal: never })
      worker.emit('continue')
      await dead
      t.match(await job.state(), { encoding: 3, videos: [{ state: 'encoded' }] })
      t.match(await copyOf(job), { state: 'encoded', attempt: 3 })
      t.strictSame(await announced(job).then((all) => all.filter((payload) => 'chunk_id' in payload)), [])
      t.strictSame(await leftovers(job), [])
    },
  )
}

t.test('nothing is left of a copy whose recording was deleted in between', async (t) => {
  const job = await prepareCopy(t, async ({ db, store, keys }) => {
    await db.delete(sessions)
    await store.delete(await keys())
  })
  const { video_id } = await job.upload()
  await job.plan({ video_id }, { signal: never })
  t.strictSame(await job.keys(), [])
})

t.test('a copy gives way to a newer recording', async (t) => {
  const job = await prepareCopy(t, async ({ upload }) => void (await upload()))
  const { video_id } = await job.upload()
  await job.plan({ video_id }, { signal: never })
  t.match(await job.state(), { videos: [{ state: 'superseded' }, { state: 'stored' }] })
  t.strictSame(await leftovers(job), [])
  t.equal(await job.db.$count(chunks, eq(chunks.state, 'encoded')), 0)
})
