import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { requireTherapist } from '@playtherapy/service-kit'
import t, { type Test } from 'tap'
import { good, startHost } from './support.ts'

const mebibyte = 1_048_576
const answerBytes = 4 * mebibyte

async function place(t: Test) {
  let open = () => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const { url } = await startHost(t, {
    apps: async (app) => {
      app.addHook('onRequest', requireTherapist)
      app.post('/', { bodyLimit: 2 * mebibyte }, async () => ({}))
      app.post('/waits', async () => {
        await gate
        return {}
      })
      app.get('/large', (_request, reply) => reply.type('text/csv').header('etag', '"1"').send('x'.repeat(answerBytes)))
      app.get('/largest', (_request, reply) => reply.send('x'.repeat(30 * mebibyte)))
      app.get('/small', async () => ({}))
    },
  })
  const ask = (path: string, userId: number, init: RequestInit = {}) =>
    fetch(url + path, { ...init, headers: { ...good(userId), ...init.headers } })
  /** Sends so much of a request and nothing more; reads nothing of its answer. */
  const begin = async (userId: number, request: string) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {})
    t.teardown(() => socket.destroy())
    await new Promise((resolve) =>
      socket.write(request.replace('\r\n', `\r\nhost: x\r\nauthorization: ${good(userId).authorization}\r\n`), resolve),
    )
    return socket
  }
  const held = async () => {
    const metrics = await (await fetch(`${url}/metrics`)).text()
    return Number(/^request_held_bytes (\d+)$/m.exec(metrics)?.[1])
  }
  /** Resolves once so many bytes are held. */
  const holding = async (bytes: number) => {
    while ((await held()) !== bytes);
  }
  return { ask, open: begin, goOn: () => open(), holding }
}

const post = (more: string) => `POST / HTTP/1.1\r\ncontent-type: application/json\r\n${more}`

t.test('bodies that are not there yet take their length, of a share for each therapist', async (t) => {
  const { ask, open, holding } = await place(t)
  const body = {
    method: 'POST',
    body: `{"a":"${'x'.repeat(mebibyte)}"}`,
    headers: { 'content-type': 'application/json' },
  }
  for (let sent = 0; sent < 16; sent++) await open(7, post(`content-length: ${mebibyte}\r\n\r\n{`))
  await holding(16 * mebibyte)
  const refused = await ask('/', 7, body)
  t.equal(refused.status, 429)
  t.equal(refused.headers.get('retry-after'), '5')
  t.strictSame(await refused.json(), { message: 'Too many requests, please slow down', error_code: 10 })
  t.equal((await ask('/small', 7)).status, 200, 'what has no body is served')
  t.equal((await ask('/', 8, body)).status, 200, 'and so are the others')
  await holding(16 * mebibyte)
})

t.test('bodies that do not tell their length take it as it comes', async (t) => {
  const { open, holding, ask } = await place(t)
  const chunk = `${(mebibyte - 100).toString(16)}\r\n{"${'x'.repeat(mebibyte - 102)}\r\n`
  const sockets = []
  for (let sent = 0; sent < 16; sent++) sockets.push(await open(7, post(`transfer-encoding: chunked\r\n\r\n${chunk}`)))
  await holding(16 * (mebibyte - 100))
  const last = await open(7, post(`transfer-encoding: chunked\r\n\r\n${chunk}`))
  const answer = await new Promise((resolve) => last.once('data', (data) => resolve(String(data))))
  t.match(answer, /^HTTP\/1\.1 429 [\s\S]*retry-after: 5/)
  for (const socket of sockets) socket.destroy()
  await holding(0)
  t.equal((await ask('/small', 7)).status, 200)
})

t.test('a parsed body counts for more, by the number of its values, until the response ends', async (t) => {
  const { ask, holding, goOn } = await place(t)
  const body = `{"a":[${'{},'.repeat(39_997)}{}]}`
  const takes = body.length + 40_000 * 80
  const post = (userId: number) =>
    ask('/waits', userId, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
  const taken = Array.from({ length: 5 }, () => post(7))
  await holding(5 * takes)
  t.equal((await post(7)).status, 429, 'six of 3.3 MB are more than a share')
  taken.push(post(8))
  await holding(6 * takes)
  goOn()
  for (const answer of await Promise.all(taken)) t.equal(answer.status, 200)
  await holding(0)
  t.equal((await post(7)).status, 200)
})

t.test('a body that is too long, of no length, or of a length that is none, holds nothing', async (t) => {
  const { open, holding } = await place(t)
  const first = async (request: string) => {
    const socket = await open(7, request)
    return new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data))))
  }
  t.match(await first(post(`content-length: ${3 * mebibyte}\r\n\r\n{`)), /^HTTP\/1\.1 413 /)
  t.match(await first(post('content-length: 0\r\n\r\n')), /^HTTP\/1\.1 200 /)
  t.match(await first(post('content-length: -1\r\n\r\n')), /^HTTP\/1\.1 400 /)
  t.match(await first(post('content-length: 1e9\r\n\r\n')), /^HTTP\/1\.1 400 /)
  t.match(await first('GET /small HTTP/1.1\r\ncontent-type: application/json\r\n\r\n'), /^HTTP\/1\.1 200 /)
  await holding(0)
})

t.test('responses that nobody reads count with their length, until the client disconnects', async (t) => {
  const { ask, open, holding } = await place(t)
  const sockets = []
  for (let asked = 0; asked < 4; asked++) sockets.push((await open(7, 'GET /large HTTP/1.1\r\n\r\n')).pause())
  await holding(4 * answerBytes)
  const refused = await ask('/large', 7)
  t.equal(refused.status, 429)
  t.match(await refused.json(), { error_code: 10 })
  t.match(refused.headers.get('content-type'), 'application/json')
  t.equal(refused.headers.get('etag'), null, 'nothing describes what was not sent')
  t.equal((await ask('/small', 7)).status, 200)
  const other = await ask('/large', 8)
  t.equal((await other.text()).length, answerBytes)
  for (const socket of sockets) socket.destroy()
  await holding(0)
  t.equal((await (await ask('/largest', 7)).text()).length, 30 * mebibyte, 'one alone may be larger than a share')
})

t.test('what is held fits into the memory that docker-compose.yml gives', async (t) => {
  const compose = readFileSync(fileURLToPath(new URL('../../../docker-compose.yml', import.meta.url)), 'utf8')
  const [, memory] = /\n {2}contents:\n[\s\S]*?\n {4}mem_limit: (\d+)m\n/.exec(compose) ?? []
  t.equal(Number(memory) / 6, 64)
})

t.test('answers that wait behind another one of their connection are given back with it', async (t) => {
  const { open, holding } = await place(t)
  const get = 'GET /large HTTP/1.1\r\n'
  const authorization = `authorization: ${good(7).authorization}\r\n`
  const socket = await open(7, `${get}\r\n${`${get}host: x\r\n${authorization}\r\n`.repeat(2)}`)
  await holding(3 * answerBytes)
  socket.destroy()
  await holding(0)
})
