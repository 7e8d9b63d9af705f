import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request as openRequest, type ServerResponse } from 'node:http'
import { testBucket } from '@playtherapy/testing'
import type { Test } from 'tap'
import { createS3Store, type Patience } from '../src/index.ts'

/**
 * A bucket with two stores: `writing` reaches the server, and the requests of `reading` pass through a proxy, which calls
 * `intercept` first. If that returns true it has taken the request over; otherwise the server's response follows.
 */
export async function readsThroughProxy(
  t: Test,
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean,
  patience?: Patience,
) {
  const settings = await testBucket()
  const agent = new Agent({ keepAlive: true })
  const server = createServer((request, response) => {
    if (intercept(request, response)) return
    const { method, url, headers } = request
    const forward = openRequest(`${settings.endpoint}${url}`, { method, headers, agent }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.on('error', () => response.destroy()).pipe(response)
    })
    request.pipe(forward.on('error', () => response.destroy()))
    response.once('close', () => forward.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (!address || typeof address === 'string') throw new Error('no port')
  const reading = createS3Store({ ...settings, endpoint: `http://127.0.0.1:${address.port}` }, patience)
  const writing = createS3Store(settings)
  t.teardown(() => {
    reading.close()
    writing.close()
    server.close()
    server.closeAllConnections()
    agent.destroy()
  })
  return { reading, writing, settings }
}
