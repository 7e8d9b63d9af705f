import { once } from 'node:events'
import { METHODS } from 'node:http'
import { connect } from 'node:net'
import { requireTherapist } from '@playtherapy/service-kit'
import t from 'tap'
import { good, rawExchange, startHost } from './support.ts'

const echo = {
  apps: async (app: import('fastify').FastifyInstance) => {
    app.addHook('onRequest', requireTherapist)
    app.post('/echo', (request) => request.body)
    app.get('/case/:case_id', () => ({}))
  },
}
const origin = 'http://localhost:3000'

t.test('a body of 200 MB that is refused is not read', async (t) => {
  const { url } = await startHost(t, echo)
  const size = 200_000_000
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  let answer = ''
  socket.on('data', (chunk) => {
    answer += chunk
  })
  socket.on('error', () => {})
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write(`POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${size}\r\n\r\n`)
  const chunk = Buffer.alloc(65_536, ' ')
  let sent = 0
  while (sent < size && !socket.destroyed) {
    sent += chunk.length
    if (!socket.write(chunk)) await Promise.race([once(socket, 'drain'), closed]).catch(() => {})
  }
  await closed
  t.match(answer, /^HTTP\/1\.1 401 /)
  t.match(answer, /"error_code":0/)
  t.ok(sent < size / 2, `it took ${sent} bytes`)
})

t.test('a small body of a refused request is read to its end, and the connection stays open', async (t) => {
  const { url } = await startHost(t, echo)
  const body = JSON.stringify({ text: 'x'.repeat(500_000) })
  const head = (more: string) =>
    `POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n${more}\r\n`
  const second = head(`authorization: ${good().authorization}\r\nconnection: close\r\n`)
  const answer = await rawExchange(url, head('') + body + second + body)
  t.match(answer, /^HTTP\/1\.1 401 [\s\S]*HTTP\/1\.1 200 /)
  t.ok(answer.endsWith(body))
})

t.test('every refusal has the body of the contract', async (t) => {
  const { url } = await startHost(t, echo)
  const fields = { message: String, error_code: Number }
  for (const path of ['/case/%zz', '/%', '/nowhere', '/health/none', '/case/1', '//', `/case/${'9'.repeat(2_000)}`]) {
    const response = await fetch(url + path, { headers: { origin } })
    t.match(await response.json(), fields, path)
    t.notMatch(response.headers.get('content-type'), 'text')
  }
  const raw = {
    'no HTTP': 'hello\r\n\r\n',
    'a header too large': `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`,
    'two lengths': 'POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
    'a length and chunks':
      'POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  }
  for (const [what, bytes] of Object.entries(raw)) {
    const answer = await rawExchange(url, bytes)
    t.match(answer, /^HTTP\/1\.1 4\d\d /, what)
    t.match(JSON.parse(answer.split('\r\n\r\n')[1] ?? ''), fields, what)
  }
})

t.test('a known path with another method is 405 and names those that it takes', async (t) => {
  const { url } = await startHost(t, {
    apps: async (app) => {
      app.addHook('onRequest', requireTherapist)
      app.route({ method: ['PUT', 'DELETE'], url: '/case/:case_id', handler: () => ({}) })
      app.get('/case/total-num', { exposeHeadRoute: false }, () => 1)
      app.post('/only/*', () => ({}))
    },
  })
  const wanted: [allow: string, path: string, methods: string[]][] = [
    ['DELETE, OPTIONS, PUT', '/case/7', ['GET', 'HEAD', 'POST', 'PATCH', 'PROPFIND', 'REPORT', 'TRACE', 'QUERY']],
    ['GET, OPTIONS', '/case/total-num?keyword=x', ['HEAD', 'POST', 'PUT', 'DELETE']],
    ['OPTIONS, POST', '/only/a/b', ['GET', 'PUT']],
    ['GET, HEAD, OPTIONS', '/health/live', ['POST', 'DELETE']],
    ['GET, HEAD, OPTIONS', '/metrics', ['PUT']],
  ]
  for (const [allow, path, methods] of wanted) {
    for (const method of methods) {
      const head = `${method} ${path} HTTP/1.1\r\nhost: x\r\norigin: ${origin}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`
      const answer = await rawExchange(url, head)
      const known = METHODS.includes(method)
      t.match(answer, known ? /^HTTP\/1\.1 405 / : /^HTTP\/1\.1 400 /, `${method} ${path}`)
      if (known) t.match(answer, new RegExp(`^allow: ${allow}\r$`, 'm'))
      if (known && method !== 'HEAD') t.match(answer, /"error_code":405/)
    }
  }
  for (const path of ['/case', '/case/7/x', '/nowhere']) {
    t.equal((await fetch(url + path, { method: 'DELETE' })).status, 404, path)
  }
  t.equal((await fetch(`${url}/case/7`, { method: 'PUT' })).status, 401, 'a method that it takes needs a token')
})

t.test('no word of the framework or of the database leaks into a refusal', async (t) => {
  const { url } = await startHost(t, echo)
  const token = `authorization: ${good().authorization}\r\nhost: x\r\nconnection: close\r\n`
  const requests = {
    'another type': `POST /echo HTTP/1.1\r\n${token}content-type: text/plain\r\ncontent-length: 1\r\n\r\nx`,
    'no type': `POST /echo HTTP/1.1\r\n${token}content-length: 1\r\n\r\nx`,
    'no such type': `POST /echo HTTP/1.1\r\n${token}content-type: ,\r\ncontent-length: 1\r\n\r\nx`,
    'no length': `POST /echo HTTP/1.1\r\n${token}content-type: application/json\r\ncontent-length: x\r\n\r\n{}`,
    'too long': `POST /echo HTTP/1.1\r\n${token}content-type: application/json\r\ncontent-length: 99999999\r\n\r\n{}`,
    'no URL': `GET /case/%zz HTTP/1.1\r\n${token}\r\n`,
  }
  for (const [what, bytes] of Object.entries(requests)) {
    const answer = await rawExchange(url, bytes)
    t.match(answer, /^HTTP\/1\.1 4\d\d [\s\S]*"error_code":\d/, what)
    t.notMatch(answer, /FST_|int4|fastify|Unsupported Media|\[object/i, what)
  }
})

t.test('a browser may send what players and clients send, and read what they need', async (t) => {
  const { url } = await startHost(t, echo)
  const asked = [
    ...['range', 'if-range', 'if-modified-since', 'if-unmodified-since', 'if-match', 'if-none-match', 'x-request-id'],
    ...[
      'authorization',
      'content-type',
      'idempotency-key',
      'cache-control',
      'pragma',
      'x-requested-with',
      'traceparent',
    ],
    ...['tus-resumable', 'upload-length', 'upload-metadata', 'upload-offset', 'upload-checksum', 'upload-defer-length'],
  ]
  const preflight = await fetch(`${url}/case/1`, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': asked.join(',') },
  })
  const allowed = preflight.headers.get('access-control-allow-headers')?.toLowerCase().split(', ')
  t.same(
    asked.filter((name) => !allowed?.includes(name)),
    [],
  )
  const { headers } = await fetch(`${url}/case/1`, { headers: { origin, ...good() } })
  const exposed = headers.get('access-control-expose-headers')?.toLowerCase().split(', ')
  const needed = [
    ...['accept-ranges', 'allow', 'content-disposition', 'content-length', 'content-range', 'etag', 'last-modified'],
    ...['link', 'location', 'retry-after', 'www-authenticate', 'x-request-id'],
  ]
  t.same(
    needed.filter((name) => !exposed?.includes(name)),
    [],
  )
})

t.test('CORS', async (t) => {
  const { url } = await startHost(t, echo)
  const preflight = (from: string, method: string, path = '/case/1') =>
    fetch(url + path, {
      method: 'OPTIONS',
      headers: {
        origin: from,
        'access-control-request-method': method,
        'access-control-request-headers': 'authorization',
      },
    })
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']) {
    const { status, headers } = await preflight(origin, method)
    t.equal(status, 204)
    t.equal(headers.get('access-control-allow-origin'), origin)
    t.ok(headers.get('access-control-allow-methods')?.split(', ').includes(method), method)
    t.match(headers.get('access-control-allow-headers'), /\bAuthorization\b/)
    t.match(headers.get('vary'), /origin/i)
  }
  const second = await preflight('https://clinic.example', 'PUT')
  t.equal(second.headers.get('access-control-allow-origin'), 'https://clinic.example')
  for (const other of [
    ...['http://localhost:3001', 'https://localhost:3000', 'http://localhost:3000.evil.example', 'null'],
    ...['http://LOCALHOST:3000', 'https://evil.clinic.example', 'http://localhost'],
  ]) {
    t.equal((await preflight(other, 'GET')).headers.get('access-control-allow-origin'), null, other)
    const plain = await fetch(`${url}/case/1`, { headers: { origin: other, ...good() } })
    t.equal(plain.headers.get('access-control-allow-origin'), null, other)
  }
  const withOrigin: [number, string, RequestInit][] = [
    [200, '/case/1', { headers: { origin, ...good() } }],
    [401, '/case/1', { headers: { origin } }],
    [404, '/nowhere', { headers: { origin } }],
    [
      413,
      '/echo',
      {
        method: 'POST',
        body: ' '.repeat(2_000_000),
        headers: { origin, ...good(), 'content-type': 'application/json' },
      },
    ],
    [422, '/echo', { method: 'POST', body: '{', headers: { origin, ...good(), 'content-type': 'application/json' } }],
  ]
  for (const [status, path, init] of withOrigin) {
    const response = await fetch(url + path, init)
    t.equal(response.status, status)
    t.equal(response.headers.get('access-control-allow-origin'), origin, `${status}`)
  }
})
