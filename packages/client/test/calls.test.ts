import t from 'tap'
import { ApiFailure, createClient, fileNameOf, isRefusalOf, NetworkFailure, tusOptions } from '../src/index.ts'
import { answering, json, text } from './answers.ts'

const ids = { case_id: 12, session_id: 31 }

t.test('a call sends its parameters where they belong, and returns the body', async (t) => {
  const { client, asked } = await answering(t, json([{ id: 1 }]))
  t.same(await client.cases.list({ keyword: '무서 & %/?', skip: 0 }), [{ id: 1 }])
  t.equal(
    asked[0]?.line,
    `GET /contents/api/case?skip=0&keyword=${new URLSearchParams({ k: '무서 & %/?' }).toString().slice(2)}`,
  )
  t.match(asked[0]?.headers, { authorization: 'Bearer of the moment' })
  await client.cases.create({ body: { given_name: '지우' }, 'idempotency-key': 'a key' })
  t.match(asked[1]?.headers, { 'content-type': 'application/json', 'idempotency-key': 'a key' })
  await client.scripts.patch({ ...ids, 'if-match': '"3"', body: [{ op: 'remove', path: '/scripts/0' }] })
  t.match(asked[2], { line: /^PATCH/, headers: { 'content-type': 'application/json-patch+json', 'if-match': '"3"' } })
  await client.playback.getMaster({ token: 'a/b?c' })
  t.match(asked[3]?.line, '/playback/a%2Fb%3Fc/master.m3u8')
  t.notOk(asked[3]?.headers.authorization, 'a link needs no token')
})

t.test('a part of a path that a URL would lose is refused before it is sent', async (t) => {
  const { client, asked } = await answering(t, json({}))
  for (const upload_id of ['', '.', '..']) {
    await t.rejects(client.uploads.delete({ ...ids, 'tus-resumable': '1.0.0', upload_id }), TypeError)
  }
  t.equal(asked.length, 0)
})

t.test('forms and bytes are sent as they are', async (t) => {
  const { client, asked } = await answering(t, json({ msg: 'ok' }, 201))
  await client.videos.upload({ ...ids, body: { file: new File(['film'], '영상 "1".mp4', { type: 'video/mp4' }) } })
  t.match(asked[0]?.headers['content-type'], /^multipart\/form-data; boundary=/)
  t.match(asked[0]?.body, 'Content-Type: video/mp4\r\n\r\nfilm\r\n')
  await client.auth.signIn({ body: { username: 'a&b@example.com', password: 'x=y' } })
  t.match(asked[1], {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'username=a%26b%40example.com&password=x%3Dy',
  })
  const upload = { ...ids, 'tus-resumable': '1.0.0', upload_id: 'u', 'upload-offset': '0' }
  await client.uploads.append({ ...upload, body: ReadableStream.from([Buffer.from('film')]) })
  t.match(asked[2], { headers: { 'content-type': 'application/offset+octet-stream' }, body: 'film' })
})

t.test('headers of a response come with its data', async (t) => {
  const script = { scripts: [] }
  const { client, asked } = await answering(
    t,
    json(script, 200, { etag: '"3"', 'script-version': '3' }),
    text('', 304, { etag: '"3"', 'script-version': '3' }),
    text('', 204, { 'upload-offset': '7' }),
    text('part', 206, { 'content-range': 'bytes 0-3/9' }),
  )
  t.same(await client.scripts.get(ids), { data: script, etag: '"3"', scriptVersion: 3 })
  t.same(await client.scripts.get({ ...ids, 'if-none-match': '"3"' }), {
    data: undefined,
    etag: '"3"',
    scriptVersion: 3,
  })
  const upload = { ...ids, 'tus-resumable': '1.0.0', upload_id: 'u' }
  t.match(await client.uploads.append({ ...upload, 'upload-offset': '0', body: new Blob(['x']) }), { uploadOffset: 7 })
  const part = await client.videos.get({ ...ids, range: 'bytes=0-3' })
  t.same([part.status, await part.text(), asked[3]?.headers.range], [206, 'part', 'bytes=0-3'])
})

t.test('a file is returned as it came, with its name', async (t) => {
  const named = (disposition: string) => text('\ufeffspeaker\r\n', 200, { 'content-disposition': disposition })
  const { client } = await answering(
    t,
    named(`attachment; filename="? v3.csv"; filename*=UTF-8''%EC%B2%AB%20%22%EB%A7%8C%EB%82%A8%22%20v3.csv`),
    named('attachment; filename="say \\"hi\\" v3.csv"'),
    named('attachment; filename=plain.csv'),
    named(`attachment; filename="plain.csv"; filename*=UTF-8''100%.csv`),
    text('x'),
  )
  for (const name of ['첫 "만남" v3.csv', 'say "hi" v3.csv', 'plain.csv', 'plain.csv', undefined]) {
    const file = await client.scripts.exportCsv(ids)
    t.equal(fileNameOf(file), name)
    if (name) t.same([...new Uint8Array(await file.arrayBuffer())].slice(0, 3), [0xef, 0xbb, 0xbf], 'for Excel')
  }
})

t.test('a refusal is thrown with what it says', async (t) => {
  const detail = [{ loc: ['body', 'data'], msg: 'must be object', type: 'type' }]
  const wrong = new Date(Date.now() - 86_400_000).toUTCString()
  const soon = new Date(Date.parse(wrong) + 60_000).toUTCString()
  const { client } = await answering(
    t,
    json({ message: 'The script has changed', error_code: 11, current_version: 4 }, 412),
    json({ message: 'not valid', error_code: 8, detail }, 422),
    json({ message: 'busy', error_code: 10, request_id: 'r' }, 503, { 'retry-after': '7', 'x-request-id': 'r' }),
    text('<html>Bad gateway</html>', 502, { 'content-type': 'text/html', date: wrong, 'retry-after': soon }),
    text('', 503, { 'retry-after': '99999999999' }),
    text('', 413),
  )
  const refusal = async (): Promise<unknown> =>
    client.scripts.patch({ ...ids, body: [] }).catch((error: unknown) => error)
  const stale = await refusal()
  if (!isRefusalOf('scripts.patch', stale)) return t.fail('no refusal')
  t.ok(stale instanceof ApiFailure && stale instanceof Error)
  t.match(stale, { status: 412, error_code: 11, message: 'The script has changed' })
  t.equal(stale.error_code === 11 && stale.currentVersion, 4)
  t.match(await refusal(), { status: 422, error_code: 8, detail })
  t.match(await refusal(), { status: 503, error_code: 10, retryAfter: 7, requestId: 'r' })
  const ofGateway = await refusal()
  t.match(ofGateway, { status: 502, error_code: 10, message: 'The service answered 502', detail: [] })
  t.equal(ofGateway instanceof ApiFailure && ofGateway.retryAfter, 60, 'by the clock of the one that answers')
  t.match(await refusal(), { status: 503, retryAfter: 3_600 }, 'a timer can wait so long')
  t.match(await refusal(), { status: 413, error_code: 9 })
})

t.test('no answer, a broken one and a page of a network are failures of the network', async (t) => {
  const { client, url } = await answering(
    t,
    (response) => response.destroy(),
    (response) => response.writeHead(200, { 'content-length': 100 }).end('{"id":', () => response.destroy()),
    text('<html>Please sign in to the hotel</html>'),
    text(''),
  )
  for (const _ of ['destroyed', 'cut', 'HTML', 'nothing']) {
    await t.rejects(client.cases.get({ case_id: 1 }), { name: 'NetworkFailure' })
  }
  const nobody = createClient({ url: url.replace(/\d+$/, '9') })
  await t.rejects(nobody.health.live(), NetworkFailure)
})

t.test('an abort is the abort of its caller, also while the body comes', async (t) => {
  const { client } = await answering(t, (response) => {
    response.writeHead(200).write('[')
  })
  const reason = new Error('left the page')
  await t.rejects(client.cases.list({}, { signal: AbortSignal.abort(reason) }), reason)
  const ended = new AbortController()
  const read = client.cases.list({}, { signal: ended.signal })
  setTimeout(() => ended.abort(reason), 50)
  await t.rejects(read, reason)
})

t.test('options of tus-js-client ask for the token of the moment', async (t) => {
  let token = 'first'
  const { endpoint, onBeforeRequest } = tusOptions({ url: 'http://x/', token: () => token }, ids, 'a.mp4')
  t.equal(endpoint, 'http://x/contents/api/case/12/session/31/video/tus')
  const headers: string[] = []
  const request = { setHeader: (name: string, value: string) => headers.push(`${name}: ${value}`) }
  await onBeforeRequest(request)
  token = 'second'
  await onBeforeRequest(request)
  t.same(headers, ['Authorization: Bearer first', 'Authorization: Bearer second'])
})
