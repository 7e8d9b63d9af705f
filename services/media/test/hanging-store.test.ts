/** An S3 server that hangs: connections stay open, and no byte comes. */
import { createS3Store } from '@playtherapy/object-store'
import { flakyLink, storeBackends, testBucket, until } from '@playtherapy/testing'
import t from 'tap'
import { addRendition, clip, closing, form, partOf, testMedia } from './support.ts'

const skip = storeBackends.includes('s3') ? false : 'there is no S3 server here'
/** The longest silence after which a client has its answer. */
const silenceMs = 15_000

t.test('while the object store hangs every request is answered within 15 s', { skip }, async (t) => {
  const settings = await testBucket()
  const link = await flakyLink(t, settings.endpoint ?? '')
  const store = createS3Store({ ...settings, endpoint: link.url })
  t.teardown(() => store.close())
  const media = await testMedia(t, { store })
  await addRendition(media, clip())
  const bytes = clip(18_000_000)
  const began = media.open({}, media.pathOf(await media.addSession(7)))
  await began.write(Buffer.concat([Buffer.from(partOf('file', 'a.mp4')), bytes.subarray(0, 12_000_000)]))
  await until('an upload', media.left, ({ rows }) => rows.includes('receiving'))
  link.freeze()
  const frozenAt = performance.now()
  began.request.end(Buffer.concat([bytes.subarray(12_000_000), Buffer.from(closing)]))

  const failed = {
    message: 'File [a.mp4] Upload failed.',
    error_code: 1000,
    detail: [{ loc: ['body', 'file'], type: 'store_unavailable' }],
  }
  const get = async (path: string) => {
    const response = await fetch(media.url + path, { headers: media.auth })
    return {
      status: response.status,
      body: Object(await response.json()),
      headers: Object.fromEntries(response.headers),
    }
  }
  const [midway, fresh, played, url] = await Promise.all([
    began.answer,
    media.upload(form(['file', clip(), 'a.mp4'])),
    get(''),
    get('/presigned-url'),
  ])
  t.ok(performance.now() - frozenAt < silenceMs, `${performance.now() - frozenAt} ms`)
  t.match(midway, { status: 400, body: failed, headers: { 'retry-after': '30' } }, 'an upload in the middle')
  t.match(fresh, { status: 400, body: failed, headers: { 'retry-after': '30' } }, 'an upload that begins')
  t.match(played, { status: 400, body: { error_code: 1001, detail: [{ type: 'store_unavailable' }] } })
  t.equal(played.headers['retry-after'], '30')
  t.match(url, { status: 503, body: { error_code: 10 } })

  link.thaw()
  t.equal((await media.upload(form(['file', clip()]))).status, 201, 'and it goes on when the store does')
})
