import { type Folder, inFolder, type ObjectStore } from '@playtherapy/object-store'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { errors } from './errors.ts'

interface StoredJson {
  path: string
  size: number
  etag: string | null
}

/**
 * Answers with a stored JSON document, streamed as it lies there. 400/1001 when it cannot be read, or is not the one
 * that was recorded. A client that leaves ends the read. `headers` describe it further.
 */
export async function sendJsonObject(
  request: FastifyRequest,
  reply: FastifyReply,
  store: ObjectStore,
  folder: Folder,
  { path, size, etag }: StoredJson,
  headers: Record<string, string | number> = {},
): Promise<FastifyReply> {
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  try {
    const stream = await store.get(inFolder(folder, path), { signal: gone.signal, ...(etag && { ifMatch: etag }) })
    return reply
      .code(200)
      .type('application/json; charset=utf-8')
      .headers({ 'content-length': size, ...(etag && { etag }), ...headers })
      .send(stream)
  } catch (error) {
    if (!gone.signal.aborted) request.log.error({ err: error }, 'a stored document could not be read')
    throw errors.downloadFailed(path.split('/').at(-1) ?? '')
  }
}
