import { chunks, encodePlans, renditions, videos } from '@playtherapy/schema'
import { VideoState } from '@playtherapy/service-kit'
import { encodeChunk, planVideo, storeBackends, testStore, until } from '@playtherapy/testing'
import { and, eq, sql } from 'drizzle-orm'
import t from 'tap'
import { Value } from 'typebox/value'
import { linksOf, testFile } from './hls-support.ts'
import { addRendition, clip, closing, form, partOf, testMedia } from './support.ts'
import { tusClient } from './tus-support.ts'

/** The state of the session's newest recording; undefined if it has none. */
async function stateOf({ url, auth }: { url: string; auth: { authorization: string } }) {
  const answer = await fetch(`${url}/state`, { headers: auth })
  const body: unknown = await answer.json()
  return answer.status === 200 ? Value.Parse(VideoState, body) : undefined
}

for (const backend of storeBackends) {
  t.test(`${backend}: the state tells how much of an upload has arrived, and why it failed`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend), uploadLimit: 500_000 })
    const state = () => stateOf(media)
    const received = async (bytes: number) =>
      until(`${bytes} bytes`, state, (now) => now?.received === bytes && now.state === 'receiving')
    t.equal(await state(), undefined)

    const first = media.open()
    const head = partOf('file', 'session 1.mp4')
    await first.write(Buffer.concat([Buffer.from(head), clip(100_000)]))
    t.match(await received(100_000), { size: null, failure: null, file_name: 'session 1.mp4', progress: 0 })
    await first.write(clip(50_000))
    await received(150_000)
    first.request.destroy()
    const failed = await until('the failure', state, (now) => now?.state === 'failed')
    t.match(failed, {
      received: 150_000,
      size: null,
      failure: 'The upload was broken off. Please upload it again.',
      failure_code: 'broken_off',
    })

    t.match(await media.upload(form(['file', clip(500_001)])), { status: 413 })
    t.match(await state(), {
      state: 'failed',
      failure: 'The file is larger than 500000 bytes.',
      failure_code: 'too_large',
    })

    const whole = media.open()
    await whole.write(Buffer.concat([Buffer.from(head), clip(200_000)]))
    await received(200_000)
    whole.request.end(closing)
    t.match(await whole.answer, { status: 201 })
    t.match(await state(), { state: 'stored', received: 200_000, size: 200_000, failure: null, failure_code: null })
  })
}

t.test('a failed upload changes nothing about the recording before it', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  await addRendition(media, clip())
  const upload = media.open()
  await upload.write(Buffer.concat([Buffer.from(partOf('file', 'a.mp4')), clip(100_000)]))
  const state = () => stateOf(media)
  await until('its row', state, (now) => now?.state === 'receiving')
  upload.request.destroy()
  await until('its failure', state, (now) => now?.state === 'failed')
  t.equal((await fetch(media.url, { headers: media.auth })).status, 200, 'the older recording is played')
})

t.test('the state tells how much of an encode in chunks is done, and when it can be played', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const state = () => stateOf(media)
  const file = () => testFile(Buffer.from('header'), 1)
  const videoId = await planVideo(
    media,
    [
      ['sound', 1],
      ['picture', 4],
    ],
    10,
  )
  const none = { state: 'encoding', progress: 0, playable: false, seconds_ready: 0, seconds_left: null }
  t.match(await state(), none)
  await encodeChunk(media, videoId, ['picture', 0], { upper: file() })
  t.match(await state(), { progress: 25, playable: false, seconds_ready: 0 }, 'without its sound')
  await encodeChunk(media, videoId, ['sound', 0], { sound: file() })
  t.match(await state(), { progress: 25, playable: true, seconds_ready: 10 })
  await encodeChunk(media, videoId, ['picture', 2], { upper: file() })
  const picture = (index: number) =>
    and(eq(chunks.videoId, videoId), eq(chunks.kind, 'picture'), eq(chunks.index, index))
  await media.db.update(chunks).set({ state: 'encoding', progress: 40 }).where(picture(1))
  await media.db.update(encodePlans).set({ createdAt: sql`now() - interval '60 seconds'` })
  t.match(await state(), { progress: 60, seconds_ready: 10 }, 'a gap is not skipped')
  const left = (await state())?.seconds_left ?? 0
  t.ok(left >= 40 && left < 80, `the second 40 % take ${left} s after 60 % took 60 s`)
  await media.db.update(encodePlans).set({ createdAt: sql`now() - interval '3 days'` })
  t.match(await state(), { progress: 60, seconds_left: null }, 'what waited for days has no pace')
  for (const index of [1, 3]) await encodeChunk(media, videoId, ['picture', index], { upper: file() })
  await media.db.update(encodePlans).set({ createdAt: sql`now() - interval '60 seconds'` })
  t.match(await state(), { state: 'encoding', progress: 99, seconds_ready: 40, seconds_left: 1 }, 'it is still joined')

  await media.db.update(videos).set({ state: 'failed', failure: 'Why' }).where(eq(videos.id, videoId))
  t.match(await state(), {
    state: 'failed',
    failure: 'Why',
    failure_code: 'other',
    playable: true,
    seconds_ready: 40,
    seconds_left: null,
  })
})

t.test('the newest recording is called playable where links are for it', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const older = clip()
  await addRendition(media, older)
  const videoId = await planVideo(media, [['picture', 2]], 10)
  await encodeChunk(media, videoId, ['picture', 0], { upper: testFile(Buffer.from('header'), 1) })
  t.match(await stateOf(media), { state: 'encoding', playable: true, seconds_ready: 10 })
  t.match(await linksOf(media), { mp4: null, hls: String })

  await media.db.update(videos).set({ state: 'failed', failure: 'Why' }).where(eq(videos.id, videoId))
  const failed = { state: 'failed', failure: 'Why', playable: false, seconds_ready: 0 }
  t.match(await stateOf(media), failed, 'the older recording takes its place')
  t.match(await linksOf(media), { mp4: String, hls: null })
  const played = await fetch(media.url, { headers: media.auth })
  t.equal(Buffer.from(await played.arrayBuffer()).compare(older), 0)
})

t.test('a resumable upload that has brought nothing hides no other recording', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const tus = tusClient(media)
  const bytes = clip()
  const create = () => tus.create({ 'upload-length': String(bytes.length) })
  await create()
  t.match(await stateOf(media), { state: 'receiving', received: null, playable: false }, 'there is no other')
  const { id } = await addRendition(media, clip())
  await media.db.update(renditions).set({ durationMs: 61_500 }).where(eq(renditions.id, id))
  const encoded = { state: 'encoded', playable: true, seconds_ready: 61.5 }
  t.match(await stateOf(media), encoded)
  const { upload } = await create()
  t.match(await stateOf(media), encoded)
  t.match(await tus.patch(upload, 0, bytes.subarray(0, 50_000)), { status: 204 })
  t.match(await stateOf(media), { state: 'receiving', received: 50_000, playable: false })

  await create()
  await media.db
    .update(videos)
    .set({ state: 'failed', failure: 'It has expired.' })
    .where(eq(videos.state, 'receiving'))
  t.match(await stateOf(media), { state: 'failed', received: 50_000 }, 'nor does one that has expired')
})

t.test('a recording whose plan has no length has a state', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const videoId = await planVideo(media, [['picture', 1]], 0)
  const state = { state: 'encoding', progress: 0, seconds_ready: 0, seconds_left: null }
  t.match(await stateOf(media), state)
  await encodeChunk(media, videoId, ['picture', 0], { upper: testFile(Buffer.from('header'), 1) })
  t.match(await stateOf(media), { ...state, playable: true })
})

t.test('the state of a recording of an older release tells its length', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const { id } = await addRendition(media, clip())
  await media.db.update(renditions).set({ durationMs: 61_500 }).where(eq(renditions.id, id))
  await media.db.update(videos).set({ progress: 100 })
  const encoded = { state: 'encoded', progress: 100, playable: true, seconds_ready: 61.5, seconds_left: 0 }
  t.match(await stateOf(media), encoded)
})
