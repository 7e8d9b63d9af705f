import { boundRate, errors, fault } from '@playtherapy/service-kit'
import type { FastifyRequest } from 'fastify'

/** Room, in bytes, for what a multipart body carries besides its file. */
const frameRoom = 1_048_576

/** Bounds of the multipart parser. The bytes of the file are counted where they are stored. */
export const multipartLimits = {
  files: 1,
  fileSize: Number.POSITIVE_INFINITY,
  fields: 16,
  fieldSize: 16_384,
  parts: 17,
  headerPairs: 16,
}

export interface FilePart {
  /** What the client calls the file: without control characters, and short. */
  name: string
  /**
   * The bytes of the file. They end when the whole message has ended as it should, and held no second file: what stores
   * them never takes the file of a broken message for a whole one.
   */
  bytes(): AsyncIterable<Uint8Array>
}

export interface FileBounds {
  /** Most bytes of the file. */
  limit: number
  /** Least bytes a second while we wait for the client, and the milliseconds over which they are counted. */
  leastRate: number
  windowMs: number
}

/** Bytes a second of the slowest connection on which an upload makes sense: a GiB takes 18 hours. */
export const leastRate = 16_384

/** Whether the declared length alone is too much; settled before a byte of the body is read. */
export function refuseTooLong({ headers }: FastifyRequest, limit: number): void {
  if (Number(headers['content-length']) > limit + frameRoom) throw errors.tooLarge(limit)
}

/**
 * The one file of a multipart body, in its part `file`. Fields beside it are read and ignored. A body longer than the
 * limit and its frame, or that comes more slowly than `leastRate`, ends with its connection.
 * Errors: 422 for no multipart, no such part, a second one, a body cut short.
 */
export async function openFilePart(request: FastifyRequest, bounds: FileBounds): Promise<FilePart> {
  if (!request.isMultipart()) throw fault(['header', 'content-type'], 'must be multipart/form-data')
  const parts = request.parts()
  const next = async () => {
    try {
      const { done, value } = await parts.next()
      return done ? undefined : value
    } catch (error) {
      throw unreadable(error)
    }
  }
  const first = next()
  watch(request, bounds)
  let part = await first
  while (part?.type === 'field') part = await next()
  if (part?.fieldname !== 'file') {
    part?.file.destroy()
    throw fault(['body', 'file'], 'is missing', 'required')
  }
  const { file, filename } = part
  return {
    name: cleaned(filename),
    async *bytes() {
      try {
        yield* file
      } catch (error) {
        throw unreadable(error)
      }
      // What follows the file is read and ignored.
      while (await next());
    },
  }
}

const cleaned = (name = '') => Array.from(name.replace(/\p{C}/gu, '')).slice(0, 100).join('') || 'video'

/**
 * Cuts the connection of a body that is too long or too slow. The host's own limit on silence would also count the time
 * in which the object store keeps us waiting.
 */
function watch({ raw }: FastifyRequest, { limit, leastRate, windowMs }: FileBounds): void {
  raw.socket.setTimeout(0)
  boundRate(raw, { windowMs, leastBytes: (leastRate * windowMs) / 1_000 }, () => raw.destroy())
  let left = limit + frameRoom
  raw.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) raw.destroy()
  })
}

function unreadable(error: unknown) {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'FST_FILES_LIMIT') return fault(['body', 'file'], 'must be one file')
  if (code === 'FST_FIELDS_LIMIT' || code === 'FST_PARTS_LIMIT') return fault(['body'], 'has too many parts')
  return fault(['body'], 'is no whole multipart body')
}
