import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { requireTherapist } from '@playtherapy/service-kit'
import type { HostOptions } from '@playtherapy/service-kit/host'
import t, { type Test } from 'tap'
import { good, startHost } from './support.ts'

const bodyMs = 300
const usual = 1_048_576

async function place(t: Test, options: Partial<HostOptions> = {}) {
  const handled: string[] = []
  const { url } = await startHost(t, {
    bodyMs,
    ...options,
    apps: async (app) => {
      app.addHook('onRequest', requireTherapist)
      app.post('/', (request) => {
        handled.push('/')
        return request.body
      })
      app.post('/long', { bodyLimit: 5 * usual }, async () => {
        handled.push('/long')
        return {}
      })
    },
  })
  /** Sends a head; what is answered, and the socket to send the body by. */
  const begin = (head: string, path = '/', userId = 7) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {})
    t.teardown(() => socket.destroy())
    const token = userId ? `authorization: ${good(userId).authorization}\r\n` : ''
    socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${token}${head}\r\n\r\n`)
    return { socket, answer: new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data)))) }
  }
  const post = (path: string, userId: number) =>
    fetch(url + path, { method: 'POST', body: '{}', headers: { ...good(userId), 'content-type': 'application/json' } })
  const waiting = async () => {
    const metrics = await (await fetch(`${url}/metrics`)).text()
    return Number(/^requests_waiting (\d+)$/m.exec(metrics)?.[1])
  }
  return { begin, post, waiting, handled }
}

/** Writes this over and over, ten times in a window, until the socket closes. */
function drip(socket: Socket, bytes: string): void {
  const timer = setInterval(() => socket.write(bytes), bodyMs / 10)
  socket.once('close', () => clearInterval(timer))
}

const late = /^HTTP\/1\.1 408 [\s\S]*connection: close[\s\S]*"error_code":8/

t.test('a body that does not come in time is refused, however it does not come', async (t) => {
  const { begin, handled } = await place(t)
  const stopped = begin('content-length: 20')
  stopped.socket.write('{')
  const dripped = begin('content-length: 900')
  drip(dripped.socket, ' ')
  const chunked = begin('transfer-encoding: chunked')
  drip(chunked.socket, '1\r\n \r\n')
  const silent = begin('transfer-encoding: chunked')
  const stuffed = begin('transfer-encoding: chunked')
  drip(stuffed.socket, `1;${'x'.repeat(1_000)}\r\n \r\n`)
  const expecting = begin('content-length: 20\r\nexpect: 100-continue')
  t.match(await expecting.answer, /^HTTP\/1\.1 100 /)
  for (const { answer } of [stopped, dripped, chunked, silent, stuffed]) t.match(await answer, late)
  t.match(await text(expecting.socket), late)
  t.strictSame(handled, [])
})

t.test('a long body keeps its connection while it comes fast enough', async (t) => {
  const { begin, handled } = await place(t)
  const fast = begin(`content-length: ${30 * 1_000}`, '/long')
  for (let part = 0; part < 30; part++) {
    fast.socket.write(part === 29 ? `${' '.repeat(998)}{}` : ' '.repeat(1_000))
    await new Promise((resolve) => setTimeout(resolve, bodyMs / 10))
  }
  t.match(await fast.answer, /^HTTP\/1\.1 200 /)
  t.strictSame(handled, ['/long'])
  const slow = begin(`content-length: ${2 * usual}`, '/long')
  drip(slow.socket, ' '.repeat(100))
  t.match(await slow.answer, late)
})

t.test('125 bodies of one therapist hold nobody else up, and nobody for long', async (t) => {
  const { begin, post, waiting } = await place(t, { bodyMs: 3_000 })
  const bodies = Array.from({ length: 125 }, () => begin('content-length: 20'))
  for (const { socket } of bodies) socket.write('{')
  while ((await waiting()) < 125);
  t.equal((await post('/', 7)).status, 429)
  t.equal((await post('/', 8)).status, 200)
  for (const { answer } of bodies) t.match(await answer, late)
  t.equal((await post('/', 7)).status, 200)
})

t.test('a body without a token, or without a route, is answered before it comes', async (t) => {
  const { begin } = await place(t, { bodyMs: 600_000 })
  t.match(await begin('content-length: 1000000', '/', 0).answer, /^HTTP\/1\.1 401 /)
  t.match(await begin('content-length: 1000000', '/nowhere', 0).answer, /^HTTP\/1\.1 404 [\s\S]*"error_code":404/)
  t.match(await begin('transfer-encoding: chunked', '/health/ready', 0).answer, /^HTTP\/1\.1 405 /)
})

t.test('a body that was refused for its length may go on as it likes', async (t) => {
  const { begin, post } = await place(t)
  const declared = begin(`content-length: ${2 * usual}`)
  const chunked = begin('transfer-encoding: chunked')
  for (let part = 0; part < 17; part++) chunked.socket.write(`10000\r\n${' '.repeat(65_536)}\r\n`)
  for (const { socket, answer } of [declared, chunked]) {
    t.match(await answer, /^HTTP\/1\.1 413 [\s\S]*"error_code":9/)
    drip(socket, ' ')
  }
  await new Promise((resolve) => setTimeout(resolve, 3 * bodyMs))
  t.equal((await post('/', 7)).status, 200)
})

t.test('a client that leaves in the middle of its body gives all back', async (t) => {
  const { begin, post } = await place(t, { bodyMs: 600_000 })
  for (let round = 0; round < 20; round++) {
    // Each declares a large part of what one therapist may hold.
    const { socket } = begin(`content-length: ${usual}`)
    await new Promise((resolve) => socket.write('{', resolve))
    socket.destroy()
  }
  let status: number
  do ({ status } = await post('/', 7))
  while (status === 429)
  t.equal(status, 200)
})
