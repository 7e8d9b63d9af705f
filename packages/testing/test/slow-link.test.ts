/** The link through which the soak slows its object store down. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import t, { type Test } from 'tap'
import { slowLink } from '../src/servers/slow-link.ts'

async function linkTo(t: Test, listener: RequestListener) {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const link = await slowLink(`http://127.0.0.1:${Object(server.address()).port}`)
  t.teardown(() => {
    link.close()
    server.closeAllConnections()
    server.close()
  })
  return link
}

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

t.test('a response comes whole and in order, later by the delay, also where that changes meanwhile', async (t) => {
  const bytes = randomBytes(32 * 2 ** 20)
  const link = await linkTo(t, (request, response) => {
    request.resume().on('end', () => response.end(bytes))
  })
  link.delayMs = 300
  const begun = performance.now()
  const answer = await fetch(link.url, { method: 'PUT', body: bytes })
  t.ok(performance.now() - begun >= 300)
  link.delayMs = 0
  t.equal(hashOf(new Uint8Array(await answer.arrayBuffer())), hashOf(bytes))
})

t.test('a server that a client does not read waits', async (t) => {
  let sent = 0
  const link = await linkTo(t, (_, response) => {
    const send = () => {
      while (!response.destroyed) {
        sent += 2 ** 20
        if (!response.write(Buffer.alloc(2 ** 20))) return
      }
    }
    response.on('drain', send)
    send()
  })
  const answer = await fetch(link.url)
  for (let before = -1; before !== sent; await new Promise((resolve) => setTimeout(resolve, 500))) before = sent
  t.ok(sent < 64 * 2 ** 20, `${sent} bytes`)
  await answer.body?.cancel()
})

t.test('a connection that breaks on one side breaks on the other', async (t) => {
  const link = await linkTo(t, ({ url, socket }, response) => {
    if (url === '/reset') socket.resetAndDestroy()
    else response.write('begun')
  })
  link.delayMs = 100
  await t.rejects(fetch(`${link.url}/reset`))
  const over = new AbortController()
  await fetch(link.url, { signal: over.signal })
  over.abort()
  link.close()
  await t.rejects(fetch(link.url), 'it is closed')
})
