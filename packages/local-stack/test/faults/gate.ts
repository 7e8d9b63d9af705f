import { once } from 'node:events'
import { Agent, createServer, request as openRequest } from 'node:http'
import type { Teardown } from '@playtherapy/testing'

/** A request to the object store, as far as tests tell them apart. */
export interface Passing {
  method: string
  /** Bucket and key. */
  path: string
  query: string
}

/** What becomes of it: its connection is cut, it is answered with this status, or it passes. */
type Fate = 'cut' | number | undefined

export interface Gate {
  url: string
  /** Asked when a request comes. */
  before: (request: Passing) => Fate | Promise<Fate>
  /** Told when the store has done it, before the caller hears of it. */
  after: (request: Passing) => unknown
}

/** A way to the object store on which requests can be held, refused and cut. Passes everything at first. */
export async function startGate(t: Teardown, target: string): Promise<Gate> {
  const agent = new Agent({ keepAlive: true })
  const server = createServer(async (request, response) => {
    const [path = '', query = ''] = (request.url ?? '').split('?')
    const passing = { method: request.method ?? '', path: decodeURIComponent(path), query }
    const { expect: _, ...headers } = request.headers
    response.on('error', () => {})
    request.on('error', () => {})
    const fate = await gate.before(passing)
    if (fate === 'cut') return void request.socket.destroy()
    if (fate !== undefined) {
      request.resume()
      return void response.writeHead(fate, { 'content-length': 0 }).end()
    }
    const forward = openRequest(`${target}${request.url}`, { method: passing.method, headers, agent })
    forward.on('error', () => response.destroy())
    response.on('close', () => response.writableFinished || forward.destroy())
    forward.on('response', async (answer) => {
      await gate.after(passing)
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.on('error', () => response.destroy())
      answer.pipe(response)
    })
    request.pipe(forward)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
    agent.destroy()
  })
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const gate: Gate = { url: `http://127.0.0.1:${port}`, before: () => undefined, after: () => {} }
  return gate
}
