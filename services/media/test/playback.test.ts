import { once } from 'node:events'
import { type IncomingMessage, get as openGet } from 'node:http'
import type { Readable } from 'node:stream'
import type { ObjectStore } from '@playtherapy/object-store'
import { renditions } from '@playtherapy/schema'
import { storeBackends, testStore, until } from '@playtherapy/testing'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { addRendition, clip, form, storeThatIsDown, testMedia } from './support.ts'

type Media = Awaited<ReturnType<typeof testMedia>>

const fetchVideo = (media: Media, headers = {}, method = 'GET') =>
  fetch(media.url, { method, headers: { ...media.auth, ...headers } })

for (const backend of storeBackends) {
  t.test(`${backend}: the encoded recording is played, whole and in ranges`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    const bytes = clip(3_000_000)
    const size = bytes.length
    const { etag, createdAt } = await addRendition(media, bytes)
    const modified = createdAt.toUTCString()
    const earlier = new Date(createdAt.getTime() - 60_000).toUTCString()
    const whole = [200, 0, size - 1] as const
    const some = (start: number, end: number) => [206, start, end] as const
    const none = [416] as const
    const cases: [string, Record<string, string>, readonly number[]][] = [
      ['no range', {}, whole],
      ['from the start', { range: 'bytes=0-' }, some(0, size - 1)],
      ['the first byte', { range: 'bytes=0-0' }, some(0, 0)],
      ['in the middle', { range: 'bytes=1000000-2000000' }, some(1_000_000, 2_000_000)],
      ['past the end', { range: `bytes=${size - 10}-99999999999999999999` }, some(size - 10, size - 1)],
      ['the last bytes', { range: 'bytes=-500' }, some(size - 500, size - 1)],
      ['more last bytes than there are', { range: 'bytes=-99999999' }, some(0, size - 1)],
      ['beyond the end', { range: `bytes=${size}-` }, none],
      ['the last zero bytes', { range: 'bytes=-0' }, none],
      ['several ranges', { range: 'bytes=0-1,5-6' }, whole],
      ['several ranges, one of them beyond', { range: `bytes=0-1,${size}-` }, whole],
      ['another unit', { range: 'seconds=99999999-' }, whole],
      ['no range at all', { range: 'bytes=a-b' }, whole],
      ['a range without a number', { range: 'bytes=-' }, whole],
      ['the unit in capitals', { range: 'BYTES=0-4' }, some(0, 4)],
      ['If-Range with its ETag', { range: 'bytes=0-4', 'if-range': etag }, some(0, 4)],
      ['If-Range with another', { range: 'bytes=0-4', 'if-range': '"other"' }, whole],
      ['If-Range with a weak one', { range: 'bytes=0-4', 'if-range': `W/${etag}` }, whole],
      ['If-Range with its date', { range: 'bytes=0-4', 'if-range': modified }, some(0, 4)],
      ['If-Range with an earlier date', { range: 'bytes=0-4', 'if-range': earlier }, whole],
      ['If-Range with another and a range beyond', { range: `bytes=${size}-`, 'if-range': '"other"' }, whole],
      ['If-None-Match with another', { 'if-none-match': '"other"' }, whole],
      ['If-Modified-Since an earlier date', { 'if-modified-since': earlier }, whole],
      ['both, of which only the ETag is used', { 'if-none-match': '"other"', 'if-modified-since': modified }, whole],
    ]
    for (const [what, headers, [status, start = 0, end = 0]] of cases) {
      const response = await fetchVideo(media, headers)
      const body = Buffer.from(await response.arrayBuffer())
      t.equal(response.status, status, `${what}: status`)
      const got = Object.fromEntries(response.headers)
      if (status === 416) {
        t.match(got, { 'content-range': `bytes */${size}`, 'content-type': /json/ }, `${what}: headers`)
        t.match(JSON.parse(body.toString()), { error_code: 4, message: String }, `${what}: body`)
        continue
      }
      t.match(
        got,
        {
          'content-type': 'video/mp4',
          'content-length': String(end - start + 1),
          'accept-ranges': 'bytes',
          etag,
          'last-modified': modified,
          'cache-control': 'private, no-store',
          'content-disposition': 'inline',
        },
        `${what}: headers`,
      )
      t.equal(got['content-range'], status === 206 ? `bytes ${start}-${end}/${size}` : undefined, `${what}: range`)
      t.equal(body.compare(bytes.subarray(start, end + 1)), 0, `${what}: bytes`)
    }
    for (const condition of [
      { 'if-none-match': etag },
      { 'if-none-match': `"other", W/${etag}` },
      { 'if-none-match': '*', range: 'bytes=0-4' },
      { 'if-modified-since': modified },
    ]) {
      for (const method of ['GET', 'HEAD']) {
        const response = await fetchVideo(media, condition, method)
        t.match([response.status, response.headers.get('etag'), await response.text()], [304, etag, ''])
      }
    }
  })

  t.test(`${backend}: a recording is played only as If-Match and If-Unmodified-Since allow`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    const { etag, createdAt } = await addRendition(media, clip(50_000))
    const modified = createdAt.toUTCString()
    const earlier = new Date(createdAt.getTime() - 60_000).toUTCString()
    const wanted: [status: number, headers: Record<string, string>][] = [
      [200, { 'if-match': etag }],
      [200, { 'if-match': `"other", ${etag}` }],
      [200, { 'if-match': '*' }],
      [206, { 'if-match': etag, range: 'bytes=-500' }],
      [412, { 'if-match': '"other"' }],
      [412, { 'if-match': `W/${etag}` }],
      [412, { 'if-match': etag.slice(1, -1) }],
      [412, { 'if-match': '"other"', range: 'bytes=0-4', 'if-none-match': etag }],
      [304, { 'if-match': etag, 'if-none-match': etag }],
      [200, { 'if-unmodified-since': modified }],
      [412, { 'if-unmodified-since': earlier }],
      [200, { 'if-unmodified-since': 'no date' }],
      [200, { 'if-match': etag, 'if-unmodified-since': earlier }],
    ]
    for (const [status, headers] of wanted) {
      const what = JSON.stringify(headers)
      const response = await fetchVideo(media, headers)
      const text = await response.text()
      t.equal(response.status, status, what)
      if (status === 412) t.match(JSON.parse(text), { error_code: 11, message: String }, what)
      const head = await fetchVideo(media, headers, 'HEAD')
      t.equal(head.status, status === 206 ? 200 : status, `HEAD ${what}`)
    }
  })

  t.test(`${backend}: a missing or replaced object is not played`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    const { id, path, etag } = await addRendition(media, clip())
    const failed = [400, { message: `File [${path.split('/').at(-1)}] Download failed.`, error_code: 1001 }]
    await media.db.update(renditions).set({ etag: '"another"' }).where(eq(renditions.id, id))
    const changed = await fetchVideo(media)
    t.match([changed.status, await changed.json()], failed)
    t.equal(changed.headers.get('etag'), null, 'an error has no ETag')
    await media.db.update(renditions).set({ etag }).where(eq(renditions.id, id))
    t.equal((await fetchVideo(media, { range: 'bytes=0-1' })).status, 206)
    await media.store.delete([`video/${path}`])
    const missing = await fetchVideo(media, { range: 'bytes=0-1' })
    t.match([missing.status, await missing.json()], failed)
  })

  t.test(`${backend}: reads from the store end when the client disconnects`, async (t) => {
    const store = await testStore(t, backend)
    const read: Readable[] = []
    const watched: ObjectStore = {
      ...store,
      async get(...asked) {
        const stream = await store.get(...asked)
        read.push(stream)
        return stream
      },
    }
    const media = await testMedia(t, { store: watched })
    await addRendition(media, clip(30_000_000))
    const readers = Array.from({ length: 10 }, async () => {
      const request = openGet(media.url, { headers: media.auth, agent: false })
      const [response]: IncomingMessage[] = await once(request, 'response')
      if (!response) throw new Error('no response')
      await once(response, 'readable')
      response.destroy()
    })
    await Promise.all(readers)
    const ended = async () => read.filter((stream) => stream.destroyed && !stream.readableEnded).length
    t.equal(await until('the end of the reads', ended, (count) => count === 10), 10)
  })
}

t.test('HEAD returns the headers of a GET, and opens no object', async (t) => {
  const media = await testMedia(t, { store: storeThatIsDown() })
  const bytes = clip(50_000)
  const { etag } = await addRendition(media, bytes, await testStore(t, 'file'))
  const response = await fetchVideo(media, { range: 'bytes=0-4' }, 'HEAD')
  t.equal(response.status, 200)
  t.match(Object.fromEntries(response.headers), {
    'content-length': '50000',
    'content-type': 'video/mp4',
    'accept-ranges': 'bytes',
    etag,
  })
  const down = await fetchVideo(media)
  t.match([down.status, await down.json()], [400, { error_code: 1001 }])
  const metrics = await (await fetch(`${media.host.url}/metrics`)).text()
  t.match(metrics, /^api_requests_total\{kind="read",outcome="failed"\} 1$/m, 'it is no fault of the client')
  t.match(metrics, /^api_requests_total\{kind="read",outcome="refused"\} 0$/m)
})

t.test('a session without an encoded recording is errors.noVideo, also during its first encode', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const wanted = [400, { message: `No video found for session ID ${media.sessionId}`, error_code: 5 }]
  const answer = async () => {
    const response = await fetchVideo(media, { origin: 'http://localhost:3000' })
    t.equal(response.headers.get('access-control-allow-origin'), 'http://localhost:3000')
    return [response.status, await response.json()]
  }
  t.same(await answer(), wanted)
  await media.upload(form(['file', clip()]))
  t.same(await answer(), wanted, 'an original is not played')
  t.equal((await fetchVideo(media, {}, 'HEAD')).status, 400)
})
