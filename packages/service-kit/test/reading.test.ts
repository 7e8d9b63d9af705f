import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { boundReading } from '../src/rate.ts'

const rate = { windowMs: 300, leastBytes: 100_000 }

/** A server whose answer never ends, or pauses at once, and a client that reads nothing of it yet. */
async function answering(t: Test, pauses = false) {
  const server = createServer((_request, response) => {
    response.writeHead(200)
    boundReading(response, rate)
    const source = new Readable({
      read() {
        if (!pauses) this.push('a'.repeat(65_536))
      },
    })
    if (pauses) source.push('a')
    source.pipe(response)
    response.once('close', () => source.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const client = connect(typeof address === 'object' && address ? address.port : 0, '127.0.0.1').on('error', () => {})
  const [[socket]] = await Promise.all([once(server, 'connection'), client.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')])
  t.teardown(() => {
    client.destroy()
    server.close()
  })
  const closed = once(socket, 'close').then(() => true)
  const isClosed = (windows: number) =>
    Promise.race([closed, new Promise((resolve) => setTimeout(() => resolve(false), windows * rate.windowMs))])
  return { client, closed, isClosed }
}

t.test('a client that does not read an answer is cut', async (t) => {
  const { client, closed } = await answering(t)
  client.pause()
  t.ok(await closed)
})

t.test('one that reads is not, and the time in which we have nothing to send is not its own', async (t) => {
  const reading = await answering(t)
  reading.client.resume()
  t.notOk(await reading.isClosed(4))
  const waiting = await answering(t, true)
  waiting.client.pause()
  t.notOk(await waiting.isClosed(4))
})
