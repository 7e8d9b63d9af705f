import { testStore, until } from '@playtherapy/testing'
import t from 'tap'
import { clip, form, partOf, storeThatIsDown, testMedia } from './support.ts'

/** Reads one value of `/metrics`. */
async function readMetric(url: string, metric: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const line = text.split('\n').find((each) => each.startsWith(`${metric} `))
  return Number(line?.split(' ')[1] ?? Number.NaN)
}
const ended = (outcome: string) => `upload_requests_total{outcome="${outcome}"}`

t.test('uploads are counted by how they ended, and those that run with their bytes', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const value = (metric: string) => readMetric(media.host.url, metric)
  t.equal(await value(ended('stored')), 0, 'a counter is there before its first event')
  t.match(await media.upload(form(['file', clip(300_000), 'a.mp4'])), { status: 201 })
  t.match(await media.upload(form(['file', Buffer.from('no video'), 'b.mp4'])), { status: 400 })
  t.equal(await value(ended('stored')), 1)
  t.equal(await value(ended('refused')), 1)
  t.ok((await value('upload_received_bytes_total{outcome="stored"}')) >= 300_000)

  const running = media.open()
  running.request.write(partOf('file', 'c.mp4'))
  running.request.write(clip(200_000))
  await until(
    'the bytes are shown',
    () => value('uploads_in_flight_bytes'),
    (bytes) => bytes >= 200_000,
  )
  t.equal(await value('uploads_in_flight'), 1)
  running.answer.catch(() => {})
  running.request.destroy()
  await until('the upload was cut', () => value(ended('cut')))
  t.equal(await value('uploads_in_flight'), 0)
  t.equal(await value('uploads_in_flight_bytes'), 0)
  t.equal(await value(ended('failed')), 0)
})

t.test('an upload that the store did not take failed because of us', async (t) => {
  const media = await testMedia(t, { store: storeThatIsDown() })
  t.match(await media.upload(form(['file', clip(), 'a.mp4'])), { status: 400 })
  t.equal(await readMetric(media.host.url, ended('failed')), 1)
  t.equal(await readMetric(media.host.url, ended('refused')), 0)
})
