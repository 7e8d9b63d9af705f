import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import type { Teardown } from '../database.ts'

export type Answer = (response: ServerResponse, request: IncomingMessage) => unknown

/** A chat completion with this content. */
export const say = (content: string): Answer => {
  return (response) => response.end(JSON.stringify({ choices: [{ message: { role: 'assistant', content } }] }))
}

export const status =
  (code: number, headers = {}): Answer =>
  (response) =>
    response.writeHead(code, headers).end('{"error":{"message":"no"}}')

/** A response without end. */
const endless: Answer = (response) => {
  const more = () => {
    while (!response.destroyed && response.write('x'.repeat(65_536)));
  }
  response.on('drain', more)
  more()
}

/** The ways in which a provider fails, and whether the failure is permanent: then a retry does not help. */
export const failures: [name: string, answer: Answer, permanent: boolean][] = [
  ['401', status(401), true],
  ['an endless answer', endless, true],
  ['a redirect', status(302, { location: 'http://127.0.0.1:1/' }), false],
  ['a long Retry-After', status(503, { 'retry-after': '3600' }), false],
  ['a cut connection', (response) => response.socket?.destroy(), false],
  ['silence', () => {}, false],
]

/** Starts a server with the API of transcribers and analysers, which gives these answers in turn and keeps requests. */
export async function startProvider(t: Teardown, ...answers: Answer[]) {
  const asked: string[] = []
  const bodies: Buffer[] = []
  const headers: IncomingMessage['headers'][] = []
  const server = createServer(async (request, response) => {
    const body = await buffer(request)
    bodies.push(body)
    asked.push(body.toString())
    headers.push(request.headers)
    const answer = answers[Math.min(asked.length, answers.length) - 1]
    await answer?.(response, request)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const as = (role: string) => ({ role, url: `http://127.0.0.1:${port}/v1`, model: 'a-model', apiKey: 'a-key' })
  return { asked, bodies, headers, analyser: as('analyser'), transcriber: as('transcriber') }
}
