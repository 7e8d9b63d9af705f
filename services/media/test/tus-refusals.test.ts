/** What resumable uploads refuse, with the statuses that the protocol names. */
import { tusUploads, videos } from '@playtherapy/schema'
import { testStore } from '@playtherapy/testing'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { clip, storeThatIsDown, testMedia } from './support.ts'
import { arrival, bytesType, everythingIn, metadata, tusClient } from './tus-support.ts'

const length = { 'upload-length': '100000' }

t.test('another version of the protocol is refused', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const tus = tusClient(media)
  const { upload } = await tus.create(length)
  for (const version of ['0.2.2', '2.0.0', '']) {
    for (const [method, path] of [
      ['POST', tus.url],
      ['HEAD', upload],
      ['PATCH', upload],
      ['DELETE', upload],
    ] as const) {
      const response = await tus.send(method, path, { 'tus-resumable': version, ...length })
      t.equal(response.status, 412, `${method} ${version}`)
      t.equal(response.headers.get('tus-version'), '1.0.0')
      t.equal(response.headers.get('tus-resumable'), '1.0.0')
    }
  }
  t.match(await tus.head(upload), { status: 200, offset: 0 })
})

t.test('a creation needs a length, and headers that can be read', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file'), uploadLimit: 100_000 })
  const tus = tusClient(media)
  const refused: [Record<string, string>, number][] = [
    [{}, 400],
    [{ ...length, 'upload-defer-length': '1' }, 400],
    [{ 'upload-defer-length': '2' }, 400],
    ...['-1', '1.5', 'many', '0x10', '1e3', '9007199254740993', '00', '1, 1'].map(
      (text): [Record<string, string>, number] => [{ 'upload-length': text }, 400],
    ),
    [{ 'upload-length': '0' }, 400],
    [{ 'upload-length': '100001' }, 413],
    [{ ...length, 'upload-concat': 'partial' }, 400],
    ...['name YQ==,name Yg==', ',', 'name ?', 'name YQ', 'name YQ== YQ=='].map(
      (text): [Record<string, string>, number] => [{ ...length, 'upload-metadata': text }, 400],
    ),
  ]
  for (const [headers, status] of refused) {
    const response = await tus.create(headers)
    t.equal(response.status, status, JSON.stringify(headers))
    t.type(response.body.message, 'string')
    t.equal(response.upload, '')
  }
  const wrongType = await tus.create({ ...length, 'content-type': 'video/mp4' }, clip())
  t.match(wrongType, { status: 415, body: { error_code: 415 } })
  t.match(await tus.create({ ...length, ...bytesType }, clip(100_001)), { status: 413 })
  t.equal(await media.db.$count(videos), 0)
  t.equal(
    (await tus.create({ ...length, 'content-type': 'text/plain' })).status,
    201,
    'without a body its type is nothing',
  )
  const odd = metadata(`${'a'.repeat(300)}\u202e\0.mp4`)
  t.equal((await tus.create({ ...length, 'upload-metadata': `${odd},empty,x ` })).status, 201)
  t.equal((await media.db.select().from(videos).orderBy(sql`id desc`))[0]?.fileName, 'a'.repeat(100))
})

t.test('bytes need a type, an offset and room', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const tus = tusClient(media)
  const { upload } = await tus.create(length)
  const bytes = clip()
  const patch = (headers: Record<string, string>, body = bytes) => tus.send('PATCH', upload, headers, body)
  t.match(await patch({ 'upload-offset': '0' }), { status: 415, body: { error_code: 415 } })
  t.match(await patch({ 'upload-offset': '0', 'content-type': 'video/mp4' }), { status: 415 })
  t.match(await patch(bytesType), {
    status: 400,
    body: { error_code: 8, detail: [{ loc: ['header', 'upload-offset'] }] },
  })
  for (const encoding of ['gzip', 'identity, gzip', 'br']) {
    const encoded = await patch({ ...bytesType, 'upload-offset': '0', 'content-encoding': encoding })
    t.match(encoded, { status: 415, body: { error_code: 415, message: /Content-Encoding/ } }, encoding)
    t.equal(encoded.headers.get('accept-encoding'), 'identity')
    t.equal((await tus.create({ ...length, ...bytesType, 'content-encoding': encoding }, bytes)).status, 415)
  }
  for (const offset of ['-1', 'x', '']) t.equal((await patch({ ...bytesType, 'upload-offset': offset })).status, 400)
  const conflict = await tus.patch(upload, 5, bytes)
  t.match(conflict, { status: 409, body: { error_code: 409 }, offset: 0 })
  t.match(await tus.patch(upload, 0, clip(100_001)), {
    status: 413,
    body: { error_code: 9, message: 'The upload has 100000 bytes and no more' },
  })
  for (const checksum of ['crc32 AAAA', 'sha1', 'sha1 ?', 'sha1 AAAA AAAA']) {
    t.equal((await tus.patch(upload, 0, bytes, { 'upload-checksum': checksum })).status, 400, checksum)
  }
  t.match(await tus.head(upload), { status: 200, offset: 0 }, 'nothing was kept')
  const chunked = tus.open(upload, 0)
  await chunked.write(bytes)
  chunked.request.end(Buffer.from('one byte too many, without a length'))
  const excess = await chunked.answer
  t.match([excess.status, excess.body], [413, /The upload has 100000 bytes and no more/])
  t.match(await tus.head(upload), { status: 200 })
  t.equal((await media.db.select().from(videos))[0]?.state, 'receiving')
})

t.test('browsers find out what is possible, without a token', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file'), uploadLimit: 123_456 })
  const tus = tusClient(media)
  const origin = 'http://localhost:3000'
  const preflight = await fetch(media.host.url + tus.url, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'PATCH', 'access-control-request-headers': 'upload-offset' },
  })
  t.equal(preflight.status, 204)
  const headers = Object.fromEntries(preflight.headers)
  t.match(headers, {
    'access-control-allow-origin': origin,
    'access-control-allow-methods': /PATCH.*DELETE/,
    'access-control-allow-headers': /Tus-Resumable.*Upload-Offset/,
    'tus-version': '1.0.0',
    'tus-extension': 'creation,creation-with-upload,creation-defer-length,expiration,checksum,termination',
    'tus-max-size': '123456',
    'tus-checksum-algorithm': 'sha1,sha256,md5',
  })
  const created = await tus.create({ ...length, origin })
  t.match(created.headers.get('access-control-expose-headers'), /Location.*Upload-Offset/)
  const options = await fetch(media.host.url + created.upload, { method: 'OPTIONS' })
  t.equal(options.headers.get('tus-version'), '1.0.0')
  const refused = await fetch(media.host.url + tus.url, { method: 'POST', headers: { origin } })
  t.match([refused.status, refused.headers.get('tus-resumable')], [401, '1.0.0'])
  t.match(refused.headers.get('access-control-allow-origin'), origin)
})

t.test('methods may be named in a header, where the network lets no others pass', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const tus = tusClient(media)
  const bytes = clip()
  const { upload } = await tus.create(length)
  const named = (method: string, headers = {}, body?: Buffer) =>
    tus.send('POST', upload, { 'x-http-method-override': method, ...headers }, body)
  t.match(await named('PATCH', { ...bytesType, 'upload-offset': '0' }, bytes.subarray(0, 9)), {
    status: 204,
    offset: 9,
  })
  t.match(await named('HEAD'), { status: 200, offset: 9 })
  t.equal((await named('GET')).status, 405)
  t.equal((await named('DELETE')).status, 204)
  t.equal((await tus.send('GET', upload)).status, 405)
})

t.test('what belongs to somebody else looks like what is missing', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const mine = tusClient(media)
  const { upload } = await mine.create(length)
  const id = upload.split('/').at(-1)
  const foreign = tusClient(media, { as: 8, path: media.pathOf(await media.addSession(8)) })
  const second = tusClient(media, { path: media.pathOf(await media.addSession(7)) })
  const missing = { status: 404, body: { message: 'There is no such upload', error_code: 404 } }
  for (const other of [foreign, second]) {
    const target = `${other.url}/${id}`
    t.match(await other.patch(target, 0, clip()), missing)
    t.equal((await other.head(target)).status, 404)
    t.match(await other.remove(target), missing)
  }
  t.match(await foreign.patch(upload, 0, clip()), { status: 400, body: { error_code: 2 } })
  t.match(await foreign.create(length), { status: 201 })
  for (const odd of ['x', '00000000-0000-4000-8000-000000000000', `${id}%00`, '..%2f..', `${id}x`]) {
    t.match(await mine.patch(`${mine.url}/${odd}`, 0, clip()), missing, odd)
  }
  t.match(await mine.head(upload), { status: 200, offset: 0 })
})

t.test('a therapist has eight unfinished uploads at most', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const tus = tusClient(media)
  const created = await Promise.all(Array.from({ length: 20 }, () => tus.create(length)))
  const [first, ...others] = created.filter(({ status }) => status === 201)
  t.equal(others.length, 7)
  const refused = created.find(({ status }) => status !== 201)
  t.match(refused, { status: 429, body: { error_code: 10, message: /8 unfinished uploads/ } })
  t.match(refused?.headers.get('retry-after'), /^\d+$/)
  t.equal(await media.db.$count(videos), 8)
  const other = tusClient(media, { as: 8, path: media.pathOf(await media.addSession(8)) })
  t.equal((await other.create(length)).status, 201, 'another therapist has eight of their own')
  t.equal((await tus.patch(first?.upload ?? '', 0, clip())).status, 204)
  t.equal((await tus.create(length)).status, 201, 'one that is complete counts no more')
})

t.test('an upload expires', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const tus = tusClient(media)
  const { upload } = await tus.create(length)
  t.equal((await tus.patch(upload, 0, clip().subarray(0, 50_000))).status, 204)
  await media.db.update(tusUploads).set({ expiresAt: sql`now() - interval '1 second'` })
  t.match(await tus.patch(upload, 50_000, clip()), { status: 410, body: { error_code: 410 } })
  t.equal((await tus.head(upload)).status, 410)
  for (let n = 0; n < 8; n++) t.equal((await tus.create(length)).status, 201, 'it counts no more')
  t.equal((await tus.remove(upload)).status, 204)
  t.equal((await tus.head(upload)).status, 404)
})

t.test('an upload that expires while its bytes come ends as expired', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const tus = tusClient(media)
  const { upload } = await tus.create(length)
  const running = tus.open(upload, 0, { 'content-length': '100000' })
  await running.write(clip().subarray(0, 50_000))
  await arrival(media, 50_000)
  // As the reaper does it.
  await media.db.update(tusUploads).set({ expiresAt: sql`now()` })
  await media.db.update(videos).set({ state: 'failed', failure: 'x', leaseUntil: sql`now()` })
  const { status, body } = await running.answer
  t.match([status, JSON.parse(body)], [410, { error_code: 410 }])
  running.request.destroy()
  t.same(await everythingIn(media), [], 'nothing is left')
})

t.test('without an object store an upload can be begun later', async (t) => {
  const media = await testMedia(t, { store: storeThatIsDown() })
  const response = await tusClient(media).create(length)
  t.match(response, { status: 503, body: { error_code: 10 } })
  t.match(response.headers.get('retry-after'), /^\d+$/)
  t.equal(await media.db.$count(videos), 0)
})
