import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { requireTherapist } from '@playtherapy/service-kit'
import t from 'tap'
import { good, rawExchange, startHost } from './support.ts'

const protective = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; media-src 'self'; frame-ancestors 'none'; sandbox",
  'referrer-policy': 'no-referrer',
}

t.test('every answer says that it is what it is declared to be, and no page', async (t) => {
  const { url } = await startHost(t, {
    apps: async (app) => {
      app.addHook('onRequest', requireTherapist)
      app.get('/', async () => ({}))
      app.get('/fails', async () => {
        throw new Error('x')
      })
    },
  })
  const origin = 'http://localhost:3000'
  const preflight = { origin, 'access-control-request-method': 'GET' }
  const asked: [number, string, RequestInit][] = [
    [200, '/', { headers: good() }],
    [200, '/', { headers: good(), method: 'HEAD' }],
    [204, '/', { headers: preflight, method: 'OPTIONS' }],
    [401, '/', {}],
    [404, '/nowhere', {}],
    [422, '/%zz', {}],
    [500, '/fails', { headers: good() }],
    [200, '/health/live', {}],
    [200, '/metrics', {}],
  ]
  for (const [status, path, init] of asked) {
    const answer = await fetch(url + path, init)
    t.equal(answer.status, status, path)
    for (const [name, value] of Object.entries(protective)) t.equal(answer.headers.get(name), value, `${path} ${name}`)
  }
  const unreadable = (await rawExchange(url, 'hello\r\n\r\n')).toLowerCase()
  for (const [name, value] of Object.entries(protective)) t.match(unreadable, `\r\n${name}: ${value}\r\n`)
})

t.test('a request of HTTP/1.1 that names no host is refused with a body', async (t) => {
  const { url } = await startHost(t, {})
  const refused = await rawExchange(url, 'GET /health/live HTTP/1.1\r\nConnection: close\r\n\r\n')
  t.match(refused, /^HTTP\/1\.1 400 /)
  t.match(refused, '"error_code":8')
  const older = await rawExchange(url, 'GET /health/live HTTP/1.0\r\n\r\n')
  t.match(older, /^HTTP\/1\.1 200 /)
})

t.test('what is not readable is refused on a kept connection, too, but never inside a response', async (t) => {
  const { url } = await startHost(t, {
    apps: async (app) => {
      app.get('/slow', () => sleep(500, {}))
      app.post('/body', async () => ({}))
    },
  })
  const readable = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
  const unreadable = 'POST /\xec\xa7\x80 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}'
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1').on('data', (part) => {
    text += part
  })
  socket.write(readable('/health/live') + readable('/health/live'))
  while (text.split('HTTP/1.1 200 ').length < 3) await once(socket, 'data')
  text = ''
  socket.write(unreadable, 'latin1')
  await once(socket, 'close')
  t.match(text, /^HTTP\/1\.1 400 [^{]*\{"message":"The request is not readable","error_code":8\}$/)

  t.equal(await rawExchange(url, readable('/slow') + unreadable), '', 'it would be taken for the response to the first')
  const chunked = 'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nno length\r\n'
  const broken = `POST /body HTTP/1.1\r\nHost: a\r\n${chunked}`
  t.match(await rawExchange(url, broken), /^HTTP\/1\.1 400 [\s\S]*"error_code":8/, 'a body that is not readable')
  t.equal(await rawExchange(url, readable('/slow') + broken), '', 'nor is that a response to the first')
})

t.test('the API page may run our scripts, and nobody else’s', async (t) => {
  const { url } = await startHost(t, {})
  const page = await fetch(`${url}/documentation`)
  t.equal(page.headers.get('x-content-type-options'), 'nosniff')
  t.match(page.headers.get('content-security-policy'), "default-src 'none'; script-src 'self';")
})
