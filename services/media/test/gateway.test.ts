/** Playback through the gateway: a real nginx with our configuration reads the bytes from a real S3 server. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { createFindPlace, createS3Store } from '@playtherapy/object-store'
import { renditions } from '@playtherapy/schema'
import {
  bareBucket,
  bytesOfRung,
  encodeChunk,
  finishRung,
  forgetChunks,
  hasNginx,
  planVideo,
  s3RequestHeaders,
  startNginx,
  type Teardown,
  testBucket,
  until,
} from '@playtherapy/testing'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { checkRung, linkOf, linksOf, testFile } from './hls-support.ts'
import { addRendition, clip, testMedia } from './support.ts'
import { newestRecording, tusClient } from './tus-support.ts'

const skip = process.env.TEST_S3 && hasNginx() ? false : 'needs nginx and an S3 server'
const origin = 'http://localhost:3000'

/** Returns the status. It discards the body, since an unread body would keep its connection. */
async function status(answering: Promise<Response>): Promise<number> {
  const answer = await answering
  await answer.arrayBuffer()
  return answer.status
}

async function behindGateway(t: Teardown, limits: { playbacks?: number; waiting?: number } = {}) {
  const settings = await testBucket()
  const store = createS3Store(settings)
  const findPlace = createFindPlace(settings)
  /** Runs once, between the answer of media and the read of the store. */
  const next: { before?: () => Promise<unknown> } = {}
  const gateway = {
    prefix: '/objects/',
    findPlace: async (key: string, etag: string) => {
      const { before } = next
      delete next.before
      await before?.()
      return findPlace(key, etag)
    },
  }
  const media = await testMedia(t, { store, gateway })
  const directory = await mkdtemp(join(tmpdir(), 'playtherapy-nginx-'))
  const script = createServer((_, answer) => answer.end('script')).listen(0, '127.0.0.1')
  await once(script, 'listening')
  t.teardown(() => script.close())
  const nginx = await startNginx(directory, {
    media: media.host.url,
    script: `http://127.0.0.1:${Object(script.address()).port}`,
    store: settings.endpoint ?? '',
    ...limits,
  })
  t.teardown(async () => {
    await nginx.stop()
    store.close()
    await rm(directory, { recursive: true })
  })
  const play = (headers = {}, as = media.auth) =>
    fetch(nginx.url + media.path, { headers: { ...as, origin, ...headers } })
  return { media, nginx, settings, play, next }
}

t.test('the gateway plays what the media service allows, whole and in ranges', { skip }, async (t) => {
  const { media, play } = await behindGateway(t)
  const bytes = clip(3_000_000)
  const size = bytes.length
  const { etag, createdAt } = await addRendition(media, bytes)
  const modified = createdAt.toUTCString()
  const wanted: [Record<string, string>, status: number, start: number, end: number][] = [
    [{}, 200, 0, size - 1],
    [{ range: 'bytes=0-' }, 206, 0, size - 1],
    [{ range: 'bytes=1000000-2000000' }, 206, 1_000_000, 2_000_000],
    [{ range: 'bytes=-500' }, 206, size - 500, size - 1],
    [{ range: 'bytes=0-1,5-6' }, 200, 0, size - 1],
    [{ range: 'bytes=0-4', 'if-range': etag }, 206, 0, 4],
    [{ range: 'bytes=0-4', 'if-range': '"other"' }, 200, 0, size - 1],
    [{ 'if-none-match': '"other"' }, 200, 0, size - 1],
  ]
  for (const [headers, status, start, end] of wanted) {
    const answer = await play(headers)
    const body = Buffer.from(await answer.arrayBuffer())
    const got = Object.fromEntries(answer.headers)
    const what = JSON.stringify(headers)
    t.equal(answer.status, status, what)
    t.equal(body.compare(bytes.subarray(start, end + 1)), 0, what)
    t.match(
      got,
      {
        'content-type': 'video/mp4',
        'content-length': `${end - start + 1}`,
        'accept-ranges': 'bytes',
        etag,
        'last-modified': modified,
        'cache-control': 'private, no-store',
        'content-disposition': 'inline',
        'access-control-allow-origin': origin,
        'access-control-expose-headers': /Content-Range/,
        vary: 'Origin',
        'x-content-type-options': 'nosniff',
        'content-security-policy': "default-src 'none'; media-src 'self'; frame-ancestors 'none'; sandbox",
        'referrer-policy': 'no-referrer',
      },
      what,
    )
    t.equal(got['content-range'], status === 206 ? `bytes ${start}-${end}/${size}` : undefined, what)
    t.notOk(JSON.stringify(got).includes('X-Amz'), 'no signature leaves the gateway')
  }
  t.equal(await status(play({ 'if-none-match': etag })), 304)
  t.equal(await status(play({ range: `bytes=${size}-` })), 416)

  const foreign = await play({}, media.host.as(8))
  t.match([foreign.status, await foreign.json()], [400, { error_code: 2 }])
  t.equal(await status(play({}, { authorization: 'Bearer undefined' })), 401)
})

t.test('the gateway plays a link with the type that media names, for its therapist', { skip }, async (t) => {
  const { media, nginx } = await behindGateway(t, { playbacks: 2 })
  const bytes = clip(30_000_000)
  const { path } = await addRendition(media, bytes)
  const asked = await fetch(nginx.url + media.path.replace(/video$/, 'playback'), {
    method: 'POST',
    headers: media.auth,
  })
  const { mp4 } = Object(await asked.json())
  const open = (headers = {}, method = 'GET') => fetch(nginx.url + mp4, { method, headers: { origin, ...headers } })
  const { etag } = await media.store.put(`video/${path}.other`, bytes, { contentType: 'text/html' })
  await media.db.update(renditions).set({ path: `${path}.other`, etag })
  const expected = {
    'content-type': 'video/mp4',
    'content-range': `bytes 5-9/${bytes.length}`,
    'content-disposition': 'inline',
    'access-control-allow-origin': origin,
    'cross-origin-resource-policy': 'cross-origin',
    'referrer-policy': 'no-referrer',
    'cache-control': 'private, no-store',
    etag,
  }
  const some = await open({ range: 'bytes=5-9' })
  t.equal(Buffer.from(await some.arrayBuffer()).compare(bytes.subarray(5, 10)), 0)
  t.match([some.status, Object.fromEntries(some.headers)], [206, expected])
  t.equal(await status(open({ 'if-none-match': etag })), 304)
  t.equal(await status(open({ range: `bytes=${bytes.length}-` })), 416)
  t.match(await status(open({}, 'HEAD')), 200)
  const captions = await fetch(nginx.url + mp4.replace('video.mp4', 'captions.vtt'))
  t.equal(await captions.text(), 'script', 'captions come from the script service')
  const refused = await fetch(nginx.url + mp4.replace('.', '.A'))
  t.match([refused.status, await refused.json()], [404, { error_code: 404 }])

  const unread = await Promise.all([open(), open({ range: 'bytes=1-' })])
  t.equal(await status(open()), 429, 'the share of its therapist')
  for (const answer of unread) await answer.body?.cancel()
})

t.test('the gateway plays the rungs of HLS, also those that lie in several objects', { skip }, async (t) => {
  const { media, nginx } = await behindGateway(t)
  const [header, other] = [randomBytes(900), randomBytes(800)]
  const files = [testFile(header, 2), testFile(header, 1), testFile(other, 2)]
  const sound = testFile(randomBytes(700), 5)
  const videoId = await planVideo(media, [
    ['sound', 1],
    ['picture', 3],
  ])
  await encodeChunk(media, videoId, ['sound', 0], { sound })
  for (const [index, upper] of files.entries()) await encodeChunk(media, videoId, ['picture', index], { upper })
  const main = (await linkOf(media, nginx.url)) ?? ''
  const check = async () => {
    await checkRung(t, main, 'upper', files)
    await checkRung(t, main, 'sound', [sound])
    const url = new URL('upper.mp4', main)
    const bytes = bytesOfRung(files)
    const [whole, some] = await Promise.all([fetch(url), fetch(url, { headers: { origin, range: 'bytes=1000-5000' } })])
    t.equal(Buffer.from(await whole.arrayBuffer()).compare(bytes), 0, 'across objects')
    t.equal(Buffer.from(await some.arrayBuffer()).compare(bytes.subarray(1000, 5001)), 0)
    t.match(Object.fromEntries(some.headers), {
      'content-type': 'video/mp4',
      'content-range': `bytes 1000-5000/${bytes.length}`,
      etag: whole.headers.get('etag'),
      'access-control-allow-origin': origin,
    })
    return whole.headers.get('etag')
  }
  const etag = await check()
  await finishRung(media, videoId, 'upper', files)
  await finishRung(media, videoId, 'sound', [sound])
  await forgetChunks(media, videoId)
  t.equal(await check(), etag, 'one object took the place of several')
})

t.test('a missing or replaced object is not played, and nothing bypasses the media service', { skip }, async (t) => {
  const { media, nginx, settings, play } = await behindGateway(t)
  const { id, path, etag } = await addRendition(media, clip())
  const failed = [400, { message: `File [${path.split('/').at(-1)}] Download failed.`, error_code: 1001 }]
  const answerOf = async (answer: Response) => {
    t.equal(answer.headers.get('access-control-allow-origin'), origin)
    return [answer.status, await answer.json()]
  }
  await media.db.update(renditions).set({ etag: '"another"' }).where(eq(renditions.id, id))
  t.match(await answerOf(await play()), failed)
  await media.db.update(renditions).set({ etag }).where(eq(renditions.id, id))
  t.equal(await status(play({ range: 'bytes=0-1' })), 206)

  const place = await createFindPlace(settings)(`video/${path}`, etag)
  const outside = await fetch(`${nginx.url}/objects${place}`, { headers: { 'if-match': etag } })
  t.match([outside.status, await outside.json()], [404, { error_code: 404 }], 'the location is internal')
  const direct = (headers = {}) => fetch(settings.endpoint + place, { headers })
  t.equal(await status(direct({ 'if-match': etag })), 200)
  t.equal(await status(direct()), 403, 'the signature covers the version')
  t.equal(await status(direct({ 'if-match': '"another"' })), 403)

  await media.store.delete([`video/${path}`])
  t.match(await answerOf(await play({ range: 'bytes=0-1' })), failed)
  const { mp4 } = await linksOf(media, nginx.url)
  const message = 'File [video.mp4] Download failed.'
  t.match(await answerOf(await fetch(nginx.url + mp4, { headers: { origin } })), [400, { message, error_code: 1001 }])
})

t.test('what was replaced after media had found it is played from its new place', { skip }, async (t) => {
  const { media, nginx, play, next } = await behindGateway(t)
  const [bytes, newer] = [clip(), clip()]
  const { id, path } = await addRendition(media, bytes)
  const { etag } = await media.store.put(
    `video/${path}.newer`,
    (async function* () {
      yield newer
    })(),
    { contentType: 'video/mp4' },
  )
  next.before = async () => {
    await media.db
      .update(renditions)
      .set({ path: `${path}.newer`, etag })
      .where(eq(renditions.id, id))
    await media.store.delete([`video/${path}`])
  }
  const some = await play({ range: 'bytes=5-99' })
  t.equal(Buffer.from(await some.arrayBuffer()).compare(newer.subarray(5, 100)), 0)
  t.match(
    [some.status, Object.fromEntries(some.headers)],
    [
      206,
      {
        etag,
        'content-length': '95',
        'content-range': `bytes 5-99/${newer.length}`,
        'cache-control': 'private, no-store',
        'content-disposition': 'inline',
        'accept-ranges': 'bytes',
        'access-control-allow-origin': origin,
        'x-content-type-options': 'nosniff',
      },
    ],
  )

  const upper = testFile(randomBytes(900), 2)
  const videoId = await planVideo(media, [['copy', 1]])
  await encodeChunk(media, videoId, ['copy', 0], { upper })
  const rung = new URL('upper.mp4', await linkOf(media, nginx.url))
  next.before = async () => {
    await finishRung(media, videoId, 'upper', [upper])
    await forgetChunks(media, videoId)
  }
  const part = await fetch(rung, { headers: { range: 'bytes=10-99' } })
  t.equal(part.status, 206)
  t.equal(Buffer.from(await part.arrayBuffer()).compare(upper.bytes.subarray(10, 100)), 0)
})

t.test('media is away when it is asked again, or all of it is', { skip }, async (t) => {
  const { media, nginx, play, next } = await behindGateway(t)
  const { path } = await addRendition(media, clip())
  const away = { 'content-type': 'application/json', 'x-content-type-options': 'nosniff', 'retry-after': '5' }
  const check = async (answer: Response, what: string, message: unknown = 'Try again later') => {
    t.match([answer.status, Object.fromEntries(answer.headers)], [503, away], what)
    t.match(await answer.json(), { message, error_code: 10 }, what)
  }
  let closing: Promise<void> | undefined
  // A request that has begun is still answered, so that only the second question finds nobody.
  next.before = async () => {
    await media.store.delete([`video/${path}`])
    closing = media.host.close()
  }
  const again = await play({ range: 'bytes=5-99' })
  t.equal(again.headers.get('access-control-allow-origin'), origin)
  // On a connection that is still open the service, which is closing, says what it finds: nothing. On another one it is away.
  if (again.status === 503) await check(again, 'between its answer and the read')
  else t.match([again.status, await again.json()], [400, { error_code: 1001 }], 'between its answer and the read')
  await closing
  await check(await play(), 'all of it')
  await check(await fetch(`${nginx.url}/contents/api/case`, { headers: media.auth }), 'another service')
  await check(await fetch(`${nginx.url}/contents/api/events`, { headers: media.auth }), 'events by a token')
  const ended = await fetch(`${nginx.url}/contents/api/events/a.${'b'.repeat(43)}`, { headers: { origin } })
  t.match(
    [ended.status, await ended.text(), Object.fromEntries(ended.headers)],
    [200, /^retry: \d+\n\n$/, { 'content-type': 'text/event-stream', 'access-control-allow-origin': '*' }],
    'events by a ticket: EventSource comes back where a stream has ended',
  )
})

t.test('what the gateway refuses by itself is refused by the contract', { skip }, async (t) => {
  const { nginx } = await behindGateway(t)
  const { port, hostname } = new URL(nginx.url)
  const host = 'HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n'
  const unreadable = { status: 400, body: { message: 'The request is not readable', error_code: 8 } }
  const tooLarge = { ...unreadable, status: 431 }
  const noRoute = { status: 404, body: { message: 'Not found', error_code: 404 } }
  const refused: Record<string, object> = {
    'GET / HTTP/1.1\r\nConnection: close\r\n\r\n': unreadable,
    'GET /a\u0000b HTTP/1.1\r\nHost: gateway\r\n\r\n': unreadable,
    'GET /%00 HTTP/1.1\r\nHost: gateway\r\n\r\n': unreadable,
    'GET / HTTP/3.7\r\nHost: gateway\r\n\r\n': unreadable,
    [`GET /contents/api/playback/../../../.. ${host}\r\n`]: unreadable,
    [`GET /contents/api/case ${host}Transfer-Encoding: gzip\r\n\r\n`]: unreadable,
    [`GET /contents/api/case ${host}Content-Length: x\r\n\r\n`]: unreadable,
    [`GET /contents/api/case ${host}Host: another\r\n\r\n`]: unreadable,
    [`GET /${'a'.repeat(20_000)} ${host}\r\n`]: tooLarge,
    [`GET /contents/api/case ${host}X: ${'a'.repeat(20_000)}\r\n\r\n`]: tooLarge,
    [`GET /contents/api ${host}\r\n`]: noRoute,
    [`GET /contents/api/playback ${host}\r\n`]: noRoute,
    [`GET /unreadable ${host}\r\n`]: noRoute,
    [`GET /playtherapy ${host}\r\n`]: noRoute,
    [`GET / ${host}\r\n`]: noRoute,
    [`TRACE /contents/api/case ${host}\r\n`]: unreadable,
    [`TRACE /playtherapy/a ${host}\r\n`]: unreadable,
    [`PUT /playtherapy/a ${host}\r\n`]: { status: 403, body: { message: 'Only uploads', error_code: 0 } },
    [`POST /contents/api/case/1/session/지/video ${host}Content-Length: 0\r\n\r\n`]: unreadable,
  }
  for (const [head, wanted] of Object.entries(refused)) {
    // So that the gateway has a connection to media that it keeps.
    await fetch(`${nginx.url}/contents/api/playback/a/video.mp4`).then((kept) => kept.arrayBuffer())
    const socket = connect(Number(port), hostname)
    socket.write(head)
    const answer = await text(socket)
    const [first = '', body = ''] = answer.split('\r\n\r\n')
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(first)?.[1])
    const what = JSON.stringify(head.slice(0, 80))
    t.match(first, /content-type: application\/json/i, what)
    t.notMatch(first, /: http/, what)
    t.match(first, /x-content-type-options: nosniff/i, what)
    t.same({ status, body: /^\{.*\}$/.test(body) ? JSON.parse(body) : body.slice(0, 60) }, wanted, what)
  }
})

t.test('the gateway limits the request rate of one token, and others are not affected', { skip }, async (t) => {
  const { media, nginx } = await behindGateway(t, { waiting: 60 })
  await addRendition(media, clip())
  const ids = await media.addSession(8)
  await addRendition({ ...media, ...ids }, clip())
  const ask = (path: string, headers: Record<string, string>) => fetch(nginx.url + path, { headers, method: 'HEAD' })
  const flood = Array.from({ length: 200 }, () => ask(media.path, media.auth))
  const other = await ask(media.pathOf(ids), media.host.as(8))
  t.equal(other.status, 200)
  const answers = await Promise.all(flood)
  const refused = answers.filter(({ status }) => status === 429)
  t.ok(refused.length > 0 && refused.every(({ headers }) => headers.get('retry-after') === '5'))
  t.ok(answers.every(({ status }) => status === 200 || status === 429))
})

t.test('the gateway limits the open recordings of one therapist, and others are not affected', { skip }, async (t) => {
  const { media, nginx, play } = await behindGateway(t, { playbacks: 2 })
  const bytes = clip(30_000_000)
  await addRendition(media, bytes)
  const ids = await media.addSession(8)
  await addRendition({ ...media, ...ids }, bytes)
  const unread = await Promise.all([play(), play({ range: 'bytes=1-' })])
  t.same(
    unread.map((answer) => answer.status),
    [200, 206],
  )
  const refused = await play()
  t.match(
    [refused.status, await refused.json(), Object.fromEntries(refused.headers)],
    [429, { error_code: 10 }, { 'retry-after': '5', 'access-control-allow-origin': origin }],
  )
  const other = await fetch(nginx.url + media.pathOf(ids), { headers: { ...media.host.as(8), range: 'bytes=0-9' } })
  t.match([other.status, (await other.arrayBuffer()).byteLength], [206, 10])
  for (const answer of unread) await answer.body?.cancel()
  for (let answer = 429; answer !== 206; ) answer = await status(play({ range: 'bytes=0-9' }))
})

t.test('a resumable upload passes the gateway, and goes on after a cut', { skip }, async (t) => {
  const { media, nginx } = await behindGateway(t)
  const tus = tusClient({ ...media, host: { ...media.host, url: nginx.url } })
  const bytes = clip(12_000_000)
  const { upload } = await tus.create({ 'upload-length': String(bytes.length) })
  const open = tus.open(upload, 0, { 'content-length': String(bytes.length) })
  await open.write(bytes.subarray(0, 7_000_000))
  await until('bytes', async () => (await tus.head(upload)).offset > 0)
  open.request.destroy()
  const { offset } = await tus.head(upload)
  t.match(await tus.patch(upload, offset, bytes.subarray(offset)), { status: 204, offset: bytes.length })
  t.equal((await newestRecording(media)).bytes.compare(bytes), 0)
  const options = await fetch(nginx.url + tus.url, { method: 'OPTIONS' })
  t.equal(options.headers.get('tus-version'), '1.0.0')
})

t.test('a page of another origin may use resumable uploads through the gateway', { skip }, async (t) => {
  const { media, nginx } = await behindGateway(t)
  const tus = tusClient({ ...media, host: { ...media.host, url: nginx.url } })
  const created = await tus.create({ 'upload-length': '100000', origin })
  t.match(created.upload, new RegExp(`^${tus.url}/[0-9a-f-]{36}$`), 'Location is a path, right behind any proxy')
  const asked = 'authorization,content-type,tus-resumable,upload-checksum,upload-length,upload-metadata,upload-offset'
  for (const [method, path] of [
    ['POST', tus.url],
    ['HEAD', created.upload],
    ['PATCH', created.upload],
    ['DELETE', created.upload],
  ] as const) {
    const headers = { origin, 'access-control-request-method': method, 'access-control-request-headers': asked }
    const preflight = await fetch(nginx.url + path, { method: 'OPTIONS', headers })
    t.equal(preflight.status, 204, method)
    t.equal(preflight.headers.get('access-control-allow-origin'), origin)
    const listed = (name: string) => (preflight.headers.get(name) ?? '').toLowerCase().split(/, */)
    t.ok(listed('access-control-allow-methods').includes(method.toLowerCase()), method)
    for (const header of asked.split(',')) t.ok(listed('access-control-allow-headers').includes(header), header)
    t.match(preflight.headers.get('access-control-max-age'), /^\d+$/)
  }
  const bytes = clip()
  const answers = [
    created,
    await tus.send('HEAD', created.upload, { origin }),
    await tus.patch(created.upload, 5, bytes, { origin }),
    await tus.patch(created.upload, 0, bytes, { origin, 'content-type': 'video/mp4' }),
    await tus.patch(created.upload, 0, bytes, { origin }),
    await tus.send('HEAD', `${tus.url}/unknown`, { origin }),
    await tus.send('DELETE', created.upload, { origin }),
  ]
  t.same(
    answers.map(({ status }) => status),
    [201, 200, 409, 415, 204, 404, 204],
  )
  const readable = ['Location', 'Retry-After', 'Tus-Resumable', 'Upload-Expires', 'Upload-Length', 'Upload-Offset']
  for (const { headers, status } of answers) {
    t.equal(headers.get('access-control-allow-origin'), origin, `${status}`)
    const exposed = (headers.get('access-control-expose-headers') ?? '').split(/, */)
    for (const header of readable) t.ok(exposed.includes(header), `${header} of ${status}`)
  }
})

t.test('while media is away, a client of tus is told to wait', { skip }, async (t) => {
  const { media, nginx } = await behindGateway(t)
  const tus = tusClient({ ...media, host: { ...media.host, url: nginx.url } })
  const { upload } = await tus.create({ 'upload-length': '100000' })
  await media.host.close()
  const head = await tus.head(upload)
  t.match([head.status, head.headers.get('retry-after')], [423, '5'])
  t.match(await tus.patch(upload, 0, clip()), { status: 503, body: { error_code: 10 } })
})

t.test('presigned uploads pass the gateway, and unsigned requests do not', { skip }, async (t) => {
  // This store copies objects for any client; only the gateway prevents it.
  const settings = await bareBucket(t)
  const directory = await mkdtemp(join(tmpdir(), 'playtherapy-nginx-'))
  const place = { media: 'http://127.0.0.1:9', store: settings.endpoint ?? '', bucket: settings.bucket }
  const nginx = await startNginx(directory, place)
  const store = createS3Store({ ...settings, publicEndpoint: nginx.url })
  t.teardown(async () => {
    store.close()
    await nginx.stop()
    await rm(directory, { recursive: true })
  })
  t.strictSame(await store.judgeUploads(), { safe: true }, 'the canary upload finds it safe')

  const type = { 'content-type': 'video/mp4' }
  const secret = 'video/LOCAL/1/1/1.mp4'
  await store.put(secret, Buffer.from('secret'), { contentType: 'video/mp4' })
  const issue = (key: string) => store.presignPut(key, { contentType: 'video/mp4', expiresIn: 60 })
  const attempts = s3RequestHeaders(settings.bucket, secret)
  await Promise.all(
    attempts.map(async ([name, value, more], index) => {
      const key = `video/LOCAL/2/2/${index}.mp4`
      const url = await issue(key)
      t.equal(
        await status(fetch(url, { method: 'PUT', body: 'own', headers: { ...type, ...more, [name]: value } })),
        200,
      )
      t.match(await store.inspectUpload(key, 100), { size: 3, isPlain: true }, name)
      const { pathname } = new URL(url)
      t.equal(await status(fetch(settings.endpoint + pathname)), 403, name)
    }),
  )

  const mine = 'video/LOCAL/2/2/raw.mp4'
  const url = new URL(await issue(mine))
  const send = async (lines: string[], target = url.pathname + url.search) => {
    const socket = connect(Number(url.port), url.hostname)
    const head = [
      `PUT ${target} HTTP/1.1`,
      `Host: ${url.host}`,
      'Content-Type: video/mp4',
      'Connection: close',
      ...lines,
    ]
    socket.write(`${head.join('\r\n')}\r\n\r\nown`)
    return Number((await text(socket)).split(' ')[1])
  }
  const length = 'Content-Length: 3'
  const copy = `/${settings.bucket}/${secret}`
  const smuggled: [what: string, lines: string[]][] = [
    ['underscores', [length, `x_amz_copy_source: ${copy}`]],
    ['a folded line', [length, 'X-Other: a', ` x-amz-copy-source: ${copy}`]],
    ['a folded value', [length, 'x-amz-copy-source:', ` ${copy}`]],
    ['a space before the colon', [length, `x-amz-copy-source : ${copy}`]],
    ['twice', [length, `X-AMZ-COPY-SOURCE: ${copy}`, `x-Amz-Copy-Source: ${copy}`]],
    ['named as hop by hop', [length, `Connection: x-amz-copy-source`, `x-amz-copy-source: ${copy}`]],
    ['two types', [length, 'Content-Type: text/html', `x-amz-copy-source: ${copy}`]],
    ['two lengths', [length, 'Content-Length: 0', `x-amz-copy-source: ${copy}`]],
    ['a length and chunks', [length, 'Transfer-Encoding: chunked', `x-amz-copy-source: ${copy}`]],
    ['continue', [length, 'Expect: 100-continue', `x-amz-copy-source: ${copy}`]],
  ]
  for (const [what, lines] of smuggled) {
    const answer = await send(lines)
    t.ok(answer === 100 || answer === 200 || answer === 400, `${what}: ${answer}`)
    const found = await store.inspectUpload(mine, 100)
    t.ok(found === undefined || (found.size === 3 && found.isPlain), what)
    await store.abortUploads(mine)
  }

  const { pathname, search } = url
  const queries = [
    '',
    '?',
    search.replace('SignedHeaders=content-type%3Bhost', 'SignedHeaders=content-type%3Bhost%3Bx-amz-acl'),
    ...[
      'uploads',
      'acl',
      'tagging',
      'partNumber=1&uploadId=2',
      'x-id=PutObject',
      'X-Amz-Security-Token=x',
      'X-Amz-Date=2',
    ].map((more) => `${search}&${more}`),
    ...['x-amz-acl=public-read', `x-amz-copy-source=${copy}`, 'x-amz-tagging=a'].map(
      (more) => `?${more}&${search.slice(1)}`,
    ),
    '?AWSAccessKeyId=TESTKEY&Expires=9999999999&Signature=x',
  ]
  for (const query of queries) t.equal(await send([length], pathname + query), 403, query)
  for (const method of ['GET', 'HEAD', 'POST', 'DELETE', 'PATCH', 'PROPFIND']) {
    t.equal(await status(fetch(url, { method, headers: type })), 403, method)
  }
  const mistyped = await fetch(url, { method: 'PUT', body: 'own', headers: { 'content-type': 'text/html' } })
  const wanted = 'the URL is for an upload with the header Content-Type: video/mp4'
  t.strictSame([mistyped.status, await mistyped.json()], [403, { message: wanted, error_code: 0 }])
  t.equal(mistyped.headers.get('access-control-allow-origin'), '*', 'a page can read it')
  t.equal(await store.inspectUpload(mine, 100), undefined)
})
