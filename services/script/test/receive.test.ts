import { connect, type Socket } from 'node:net'
import multipart from '@fastify/multipart'
import { testHost } from '@playtherapy/testing'
import t, { type Test } from 'tap'
import { receiveScript } from '../src/scripts/receive.ts'

const rate = { windowMs: 300, leastBytes: 1_000 }

/** A route that only receives a script, and a client that sends the head and the beginning of a form. */
async function sending(t: Test, begin: string) {
  const { url } = await testHost(t, async (app) => {
    await app.register(multipart, { isPartAFile: () => true })
    app.post('/', async (request) => ({ size: (await receiveScript(request, rate)).length }))
  })
  const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {})
  t.teardown(() => socket.destroy())
  const send = (text: string) => socket.write(`${text.length.toString(16)}\r\n${text}\r\n`)
  socket.write(
    'POST / HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=x\r\ntransfer-encoding: chunked\r\n\r\n',
  )
  send(begin)
  const answer = new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data))))
  return { socket, send, answer }
}

function drip(socket: Socket, send: () => void): void {
  const timer = setInterval(send, rate.windowMs / 10)
  socket.once('close', () => clearInterval(timer))
}

const head = '--x\r\ncontent-disposition: form-data; name="script"; filename="a"\r\n\r\n'

t.test('a body that is too slow is refused, whichever of its parts is slow', async (t) => {
  for (const begin of ['', '--x\r\ncontent-disp', head, `${head}{}\r\n--x--\r\n`]) {
    const { socket, send, answer } = await sending(t, begin || ' ')
    drip(socket, () => send('y'))
    t.match(await answer, /^HTTP\/1\.1 408 [\s\S]*"error_code":8/, begin)
  }
})

t.test('a body on which the parser waits for itself is refused', async (t) => {
  for (const size of [10, 70_000, 300_000, 3_000_000]) {
    const { send, answer } = await sending(t, `${head}{}\r\n--x\r\nx-a: b\r\n\r\n`)
    for (let sent = 0; sent < size; sent += 50_000) send('y'.repeat(50_000))
    send('\r\n--x--\r\n')
    send('')
    t.match(await answer, /^HTTP\/1\.1 (200|408|422) /, `${size} bytes behind the script`)
  }
})

t.test('a script at the least rate is received', async (t) => {
  const { send, answer } = await sending(t, head)
  for (let part = 0; part < 25; part++) {
    send('z'.repeat(200))
    await new Promise((resolve) => setTimeout(resolve, rate.windowMs / 10))
  }
  send('\r\n--x--\r\n')
  send('')
  t.match(await answer, /^HTTP\/1\.1 200 [\s\S]*{"size":5000}/)
})

t.test('endless bytes outside the script are refused', async (t) => {
  const { send, answer, socket } = await sending(t, ' ')
  const junk = 'y'.repeat(64 * 1024)
  let status = ''
  answer.then((text) => {
    status = text
  })
  while (!status) if (!send(junk)) await new Promise((resolve) => socket.once('drain', resolve).once('close', resolve))
  t.match(status, /^HTTP\/1\.1 413 [\s\S]*"error_code":9/)
})
