import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { ObjectChangedError, ObjectMissingError, type ObjectStore } from '@playtherapy/object-store'
import parseRange from 'range-parser'

export interface Source {
  store: ObjectStore
  key: string
  size: number
  /** What the object's ETag was when it was announced; every read insists on it. */
  etag: string
}

export interface OpenSource {
  /** Where ffmpeg and ffprobe read: loopback, a path nobody can guess, for one job. */
  url: string
  /** The first fault that reading met, if any: it decides whether another try makes sense. */
  fault(): unknown
  close(): Promise<void>
}

/**
 * Serves one original to ffmpeg by ranges on loopback. So no presigned URL or key stands in a process list, nothing
 * expires in mid-encode, and both object stores are alike to ffmpeg. A reader that leaves ends the read at once.
 */
export async function openSource({ store, key, size, etag }: Source): Promise<OpenSource> {
  const path = `/${randomBytes(24).toString('base64url')}`
  let fault: unknown

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url !== path || (request.method !== 'GET' && request.method !== 'HEAD')) {
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
    url: `http://127.0.0.1:${address.port}${path}`,
    fault: () => fault,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
