import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createClient } from '../src/index.ts'

type Answer = (response: ServerResponse, request: IncomingMessage, body: string) => void

/** A client of a server that gives one answer after the other, the last one again and again; with what it was asked. */
export async function answering(t: { teardown(end: () => unknown): void }, ...answers: Answer[]) {
  const asked: { line: string; headers: IncomingMessage['headers']; body: string }[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request.setEncoding('latin1')) body += chunk
    asked.push({ line: `${request.method} ${request.url}`, headers: request.headers, body })
    answers[Math.min(asked.length, answers.length) - 1]?.(response, request, body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  return { url, asked, client: createClient({ url: `${url}/`, token: async () => 'of the moment' }) }
}

export const json =
  (value: unknown, status = 200, headers: Record<string, string> = {}): Answer =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value))

export const text =
  (body: string, status = 200, headers: Record<string, string> = {}): Answer =>
  (response) =>
    response.writeHead(status, headers).end(body)
