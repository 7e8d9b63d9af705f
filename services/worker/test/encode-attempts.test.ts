import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { PermanentError, PostponedError } from '@playtherapy/jobs'
import type { ObjectStore } from '@playtherapy/object-store'
import { outbox, sessions, videos } from '@playtherapy/schema'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { aac, h264, make, never, picture, prepare, sound, turned } from './encode-support.ts'

const small = await make('small.mp4', ...picture('320x240'), ...sound(), ...h264, ...aac)
const phone = await turned('phone.mp4', await make('flat.mp4', ...picture('640x360'), ...sound(), ...h264, ...aac))
const large = await make('large.mp4', ...picture('3840x2160', 1, 10), ...sound(1), ...h264, ...aac)

/** What the objects of a recording are, by the first part of their names. */
const kindsOf = (keys: string[]) => keys.map((key) => key.split('/').at(-1)?.split('_')[0]).sort()
/** The chunks of the picture and of the sound have become their rungs. */
const onlyOnce = ['1.mp4', 'audio', 'chunk', 'chunk', 'encoded', 'poster', 'storyboard']

const isEncoding = async (job: Awaited<ReturnType<typeof prepare>>) => {
  while ((await job.state()).videos[0]?.state !== 'encoding') await new Promise((resolve) => setTimeout(resolve, 1))
}

t.test('an original that was swapped is refused', async (t) => {
  const job = await prepare(t, small, 'mp4')
  const { video_id, path } = await job.upload()
  await job.store.delete([`video/${path}`])
  await job.store.put(`video/${path}`, createReadStream(phone), { contentType: 'video/mp4' })
  await t.rejects(job.encode({ video_id }, { signal: never }), {
    name: 'PermanentError',
    message: /changed or removed/,
  })
})

t.test('a store that disconnects in the middle is not blamed on the recording', async (t) => {
  const job = await prepare(t, small, 'mp4')
  const { video_id } = await job.upload()
  const { get } = job.store
  const breaking: typeof get = async (key, options) => {
    const whole = await get(key, options)
    return Readable.from(
      (async function* () {
        for await (const chunk of whole) {
          yield chunk.subarray(0, 1_000)
          throw new Error('the store broke off')
        }
      })(),
      { objectMode: false },
    )
  }
  job.store.get = breaking
  const error = await job.encode({ video_id }, { signal: never }).catch((reason: unknown) => reason)
  t.match(error, { message: 'the store broke off' })
  t.notOk(error instanceof PermanentError)
  job.store.get = get
  await job.encode({ video_id }, { signal: never })
  t.match(await job.state(), { encoding: 3, videos: [{ state: 'encoded' }] })
})

t.test('two workers with the same job make one rendition', async (t) => {
  const job = await prepare(t, phone, 'mp4')
  const { video_id } = await job.upload()
  const results = await Promise.allSettled([1, 2].map(() => job.encode({ video_id }, { signal: never })))
  const faults = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
  t.equal(faults.length, 1)
  t.type(faults[0], PostponedError)
  t.match(await job.state(), { encoding: 3, videos: [{ state: 'encoded' }] })
  const made = await job.keys()
  t.strictSame(kindsOf(made), onlyOnce)
  await job.encode({ video_id }, { signal: never })
  t.strictSame(await job.keys(), made, 'done is done')
})

t.test('an attempt that lost its lease commits nothing', async (t) => {
  const job = await prepare(t, phone, 'mp4')
  const { video_id } = await job.upload()
  const first = job.encode({ video_id }, { signal: never })
  await isEncoding(job)
  await job.db.update(videos).set({ leaseUntil: null }).where(eq(videos.id, video_id))
  const second = job.encode({ video_id }, { signal: never })
  // One of them may find a chunk that the other one is encoding.
  await Promise.allSettled([first, second])
  await job.encode({ video_id }, { signal: never })
  t.match(await job.state(), { encoding: 3, videos: [{ state: 'encoded' }] })
  t.strictSame(kindsOf(await job.keys()), onlyOnce)
})

t.test('a closing worker gives its job back at once', async (t) => {
  const job = await prepare(t, large, 'mp4')
  const { video_id } = await job.upload()
  const stop = new AbortController()
  const encoding = job.encode({ video_id }, { signal: stop.signal })
  await isEncoding(job)
  stop.abort()
  await t.rejects(encoding)
  t.strictSame(await readdir(job.scratchDirectory), [])
  await job.encode({ video_id }, { signal: never })
  t.match(await job.state(), { encoding: 3, videos: [{ state: 'encoded' }] })
})

t.test('a newer recording makes the encode of an older one superfluous', async (t) => {
  const job = await prepare(t, small, 'mp4')
  const older = await job.upload()
  const newer = await job.upload()
  await job.encode({ video_id: older.video_id }, { signal: never })
  await job.encode({ video_id: newer.video_id }, { signal: never })
  t.match(await job.state(), { encoding: 3, videos: [{ state: 'superseded' }, { state: 'encoded' }] })
})

t.test('a session deleted with its objects while its recording is encoded is no failure', async (t) => {
  const job = await prepare(t, large, 'mp4')
  const { video_id, path } = await job.upload()
  const encoding = job.encode({ video_id }, { signal: never })
  await isEncoding(job)
  // In the order of an erasure.
  await job.db.delete(sessions)
  await job.store.delete([`video/${path}`])
  await encoding
  t.strictSame(await job.keys(), [])
})

t.test('a newer recording breaks off the encode of an older one, which then waits for its removal', async (t) => {
  const job = await prepare(t, large, 'mp4')
  const older = await job.upload()
  const encoding = job.encode({ video_id: older.video_id }, { signal: never })
  await isEncoding(job)
  await job.upload()
  await encoding
  t.match(await job.state(), { encoding: 1, videos: [{ state: 'superseded' }, { state: 'stored' }] })
  t.match(await job.db.select().from(outbox), [{ name: 'delete-superseded' }])
})

t.test('a session deleted meanwhile gets no object back', async (t) => {
  const job = await prepare(t, phone, 'mp4')
  const { video_id, path } = await job.upload()
  const encoding = job.encode({ video_id }, { signal: never })
  await isEncoding(job)
  await job.db.delete(sessions)
  await encoding
  t.strictSame(await job.keys(), [`video/${path}`], 'the original is for the erasure; nothing else came')
  t.equal(await job.fail({ video_id }, 'because'), false, 'nobody needs to hear of its failure')
})

t.test('a session deleted while the sound is stored gets no object back', async (t) => {
  let beforeSound = async (_signal: AbortSignal) => {}
  const around = (store: ObjectStore): ObjectStore => ({
    ...store,
    async put(key, body, options) {
      if (key.includes('audio_') && options.signal) await beforeSound(options.signal)
      return store.put(key, body, options)
    },
  })
  const job = await prepare(t, phone, 'mp4', { around })
  beforeSound = async (signal) => {
    await job.db.delete(sessions)
    await once(signal, 'abort')
  }
  const { video_id, path } = await job.upload()
  await job.encode({ video_id }, { signal: never })
  t.strictSame(await job.keys(), [`video/${path}`])
})
