import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { type ApiError, boundRate } from '@playtherapy/service-kit'
import t, { type Test } from 'tap'

const windowMs = 200

/** A server that reads, or does not read, one body, and a client that sends the head of it. */
async function sending(t: Test, leastBytes: number, reads = true) {
  let request: IncomingMessage | undefined
  const refused: ApiError[] = []
  const server = createServer((incoming) => {
    request = incoming
    boundRate(incoming, { windowMs, leastBytes }, (error) => refused.push(error))
    if (reads) incoming.resume()
    server.emit('received')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const client = connect(port, '127.0.0.1').on('error', () => {})
  t.teardown(() => {
    client.destroy()
    server.close()
  })
  client.write('POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n')
  await once(server, 'received')
  const send = (bytes: number) => client.write(`${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n`)
  /** Waits for so many windows, doing something ten times in each. */
  const wait = async (windows: number, each = () => {}) => {
    for (let look = 0; look < windows * 10; look++) {
      each()
      await new Promise((resolve) => setTimeout(resolve, windowMs / 10))
    }
  }
  return { refused, send, wait, end: () => client.write('0\r\n\r\n'), received: () => request }
}
const slow = [{ status: 408, code: 8 }]

t.test('a body that stops is refused once', async (t) => {
  const { refused, send, wait } = await sending(t, 1_000)
  send(5_000)
  await wait(4)
  t.match(refused, slow)
  t.equal(refused.length, 1)
})

t.test('a body below the rate is refused, and one that keeps the rate is accepted', async (t) => {
  const dripping = await sending(t, 1_000)
  await dripping.wait(3, () => dripping.send(1))
  t.match(dripping.refused, slow)
  const steady = await sending(t, 1_000)
  await steady.wait(4, () => steady.send(1_000))
  t.same(steady.refused, [])
})

t.test('a body that has to end in the first window is refused however fast it comes', async (t) => {
  const { refused, send, wait } = await sending(t, Number.POSITIVE_INFINITY)
  await wait(2, () => send(10_000))
  t.match(refused, slow)
  const whole = await sending(t, Number.POSITIVE_INFINITY)
  whole.send(10)
  whole.end()
  await whole.wait(2)
  t.same(whole.refused, [])
  t.equal(whole.received()?.complete, true)
})

t.test('the time in which the reader stands still is not the client’s', async (t) => {
  const { refused, send, wait, received } = await sending(t, 1_000, false)
  send(1_000_000)
  await wait(4)
  t.same(refused, [], 'held back')
  received()?.resume()
  await wait(4)
  t.match(refused, slow, 'and then silent')
})
