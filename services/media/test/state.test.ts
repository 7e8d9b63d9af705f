import { storeBackends, testStore, until } from '@playtherapy/testing'
import t from 'tap'
import { Value } from 'typebox/value'
import { VideoState } from '../src/recording/schemas.ts'
import { addRendition, clip, closing, form, partOf, testMedia } from './support.ts'

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
    t.match(failed, { received: 150_000, size: null, failure: 'The upload was broken off. Please upload it again.' })

    t.match(await media.upload(form(['file', clip(500_001)])), { status: 413 })
    t.match(await state(), { state: 'failed', failure: 'The file is larger than 500000 bytes.' })

    const whole = media.open()
    await whole.write(Buffer.concat([Buffer.from(head), clip(200_000)]))
    await received(200_000)
    whole.request.end(closing)
    t.match(await whole.answer, { status: 201 })
    t.match(await state(), { state: 'stored', received: 200_000, size: 200_000, failure: null })
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
