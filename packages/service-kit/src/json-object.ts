import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { type Folder, inFolder, type ObjectStore } from '@playtherapy/object-store'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { errors } from './errors.ts'
import { whenOver } from './over.ts'

interface StoredJson {
  path: string
  size: number
  etag: string | null
  /** SHA-256 of the bytes, in hex; null or absent where it was not kept. */
  checksum?: string | null
}

/**
 * How many bytes of a checked document are held back until all of it was read. A document up to this size is refused
 * before its first byte is sent. A larger one breaks off at its end, and is then shorter than its content-length.
 */
export const heldBackBytes = 1024 ** 2

/** Passes on the bytes of a stream. Throws `wrong` instead of the last ones if their SHA-256 is not `checksum`. */
async function* verified(stream: Readable, checksum: string, wrong: () => Error): AsyncIterable<Buffer> {
  const hash = createHash('sha256')
  const held: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    hash.update(chunk)
    held.push(chunk)
    size += chunk.length
    for (let first = held[0]; first && size > heldBackBytes && held.length > 1; first = held[0]) {
      held.shift()
      size -= first.length
      yield first
    }
  }
  if (hash.digest('hex') !== checksum) throw wrong()
  yield Buffer.concat(held)
}

/**
 * Sends a stored JSON document as it is, as a stream. Throws `errors.downloadFailed` if it cannot be read, or if its
 * SHA-256 is not the one that was recorded. The read ends when the client disconnects, which is not logged as an error.
 * `headers` are added to the response.
 */
export async function sendJsonObject(
  request: FastifyRequest,
  reply: FastifyReply,
  store: ObjectStore,
  folder: Folder,
  { path, size, etag, checksum }: StoredJson,
  headers: Record<string, string | number> = {},
): Promise<FastifyReply> {
  const closed = new AbortController()
  whenOver(request, reply, () => closed.abort())
  const unreadable = (error: unknown) => {
    if (!closed.signal.aborted) request.log.error({ err: error }, 'a stored document could not be read')
    return errors.downloadFailed(path.split('/').at(-1) ?? '', error)
  }
  try {
    const stream = await store.get(inFolder(folder, path), { signal: closed.signal, ...(etag && { ifMatch: etag }) })
    const wrong = () => unreadable(new Error('its SHA-256 is not the one that was recorded'))
    const checked = checksum ? Readable.from(verified(stream, checksum, wrong), { objectMode: false }) : stream
    return reply
      .code(200)
      .type('application/json; charset=utf-8')
      .headers({ 'content-length': size, ...(etag && { etag }), ...headers })
      .send(checked)
  } catch (error) {
    throw unreadable(error)
  }
}
