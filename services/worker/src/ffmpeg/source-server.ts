import { randomBytes, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { ObjectChangedError, ObjectMissingError, type ObjectStore } from '@playtherapy/object-store'
import parseRange from 'range-parser'
import type { Input } from './bounded.ts'

export interface SourceObject {
  key: string
  size: number
  /** The recorded ETag. A read of an object with another one fails. */
  etag: string
}

export interface OpenSource {
  /** How ffmpeg reads the object of this place in the list, the first one by default. */
  input(place?: number): Input
  /** The first error of a read, if any: it decides about a retry. */
  readError(): unknown
  /** Bytes of all objects that were read so far. */
  servedBytes(): number
  close(): Promise<void>
}

/** Where the addresses on the command line begin. Their name is not resolved, because the request is sent to the proxy. */
const origin = 'http://original/'
const user = 'worker'

/**
 * Serves objects, such as an original, to ffmpeg by ranges on loopback. So ffmpeg needs to know neither store, nothing expires during an
 * encode, and the read ends at once when ffmpeg disconnects. It is an HTTP proxy with a random password, because ffmpeg
 * reads a proxy from the environment, which, unlike the command line, only its own user can read. Requests without the
 * password get 407.
 */
export async function openSource(store: ObjectStore, ...objects: SourceObject[]): Promise<OpenSource> {
  const password = randomBytes(24).toString('hex')
  const wanted = Buffer.from(`Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`)
  let readError: unknown
  let servedBytes = 0

  function isAllowed({ headers }: IncomingMessage): boolean {
    const given = Buffer.from(headers['proxy-authorization'] ?? '')
    return given.length === wanted.length && timingSafeEqual(given, wanted)
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!isAllowed(request)) {
      response.writeHead(407, { 'proxy-authenticate': 'Basic realm="original"', 'content-length': 0 }).end()
      return
    }
    // ffmpeg writes the port, too.
    const address = URL.canParse(request.url ?? '') ? new URL(request.url ?? '').href : undefined
    const object = objects.find((_, place) => address === `${origin}${place}`)
    if (!object || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(404).end()
      return
    }
    const { key, size, etag } = object
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
    const bytes = await store.get(key, { start, end, ifMatch: etag, signal: left.signal })
    // Later the response is destroyed in any case, so only here it is known whether ffmpeg disconnected.
    bytes.once('error', (error) => {
      if (!left.signal.aborted) readError ??= error
    })
    bytes.on('data', ({ length }: Buffer) => {
      servedBytes += length
    })
    await pipeline(bytes, response)
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      // ffmpeg seeks by disconnecting, which is no error of the source.
      if (!response.closed && !response.destroyed) readError ??= error
      else if (error instanceof ObjectChangedError || error instanceof ObjectMissingError) readError ??= error
      response.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (!address || typeof address === 'string') throw new Error('no loopback port')
  const env = { http_proxy: `http://${user}:${password}@127.0.0.1:${address.port}` }
  return {
    input: (place = 0) => ({ path: `${origin}${place}`, env }),
    readError: () => readError,
    servedBytes: () => servedBytes,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
