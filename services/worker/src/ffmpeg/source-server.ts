import { randomBytes, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { ObjectChangedError, ObjectMissingError, type ObjectStore } from '@playtherapy/object-store'
import parseRange from 'range-parser'
import type { Input } from './bounded.ts'

export interface Source {
  store: ObjectStore
  key: string
  size: number
  /** What the object's ETag was when it was announced; every read insists on it. */
  etag: string
}

export interface OpenSource {
  /** What ffmpeg and ffprobe read. */
  input: Input
  /** The first fault that reading met, if any: it decides whether another try makes sense. */
  fault(): unknown
  close(): Promise<void>
}

/** All that stands on a command line. No name is looked up: the request goes to the proxy. */
const url = 'http://original/'
const user = 'worker'

/**
 * Serves one original to ffmpeg by ranges on loopback, so that both object stores are alike to it, nothing expires
 * during an encode, and a reader that leaves ends the read at once. It stands as an HTTP proxy with a password of its
 * own: ffmpeg of every release takes proxy and password from the environment, which unlike a command line only its own
 * user can read. Who finds the port and has no password gets 407.
 */
export async function openSource({ store, key, size, etag }: Source): Promise<OpenSource> {
  const password = randomBytes(24).toString('hex')
  const wanted = Buffer.from(`Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`)
  let fault: unknown

  function isAllowed({ headers }: IncomingMessage): boolean {
    const given = Buffer.from(headers['proxy-authorization'] ?? '')
    return given.length === wanted.length && timingSafeEqual(given, wanted)
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!isAllowed(request)) {
      response.writeHead(407, { 'proxy-authenticate': 'Basic realm="original"', 'content-length': 0 }).end()
      return
    }
    const isOriginal = URL.canParse(request.url ?? '') && new URL(request.url ?? '').href === url
    if (!isOriginal || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(404).end()
      return
    }
    const ranges = request.headers.range ? parseRange(size, request.headers.range) : undefined
    if (ranges === -1 || ranges === -2) {
      response.writeHead(416, { 'content-range': `bytes */${size}` }).end()
      return
    }
    const { start, end } = ranges?.[0] ?? { start: 0, end: size - 1 }
    const headers = {
      'accept-ranges': 'bytes',
      'content-type': 'application/octet-stream',
      'content-length': end - start + 1,
    }
    if (ranges) response.writeHead(206, { ...headers, 'content-range': `bytes ${start}-${end}/${size}` })
    else response.writeHead(200, headers)
    if (request.method === 'HEAD') {
      response.end()
      return
    }
    const left = new AbortController()
    response.once('close', () => left.abort())
    const original = await store.get(key, { start, end, ifMatch: etag, signal: left.signal })
    // Told apart here: afterwards the answer is destroyed, whoever broke off.
    original.once('error', (error) => {
      if (!left.signal.aborted) fault ??= error
    })
    await pipeline(original, response)
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      // ffmpeg seeks by leaving; that is no fault of the source.
      if (!response.closed && !response.destroyed) fault ??= error
      else if (error instanceof ObjectChangedError || error instanceof ObjectMissingError) fault ??= error
      response.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (!address || typeof address === 'string') throw new Error('no loopback port')
  return {
    input: { path: url, env: { http_proxy: `http://${user}:${password}@127.0.0.1:${address.port}` } },
    fault: () => fault,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
