import { cleaned } from '@playtherapy/intake'
import { ApiError, boundParser, boundRate, errors, fault } from '@playtherapy/service-kit'
import type { FastifyRequest } from 'fastify'

/** A multipart body may have this many bytes beside its file. */
const frameBytes = 1_048_576

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
  /** The client's name for the file: composed (NFC), without control characters and at most 100 characters long. */
  name: string
  /**
   * Yields the bytes of the file. It ends only when the whole message was valid to its end and had no second file, so
   * that the file of a broken message is never stored as a complete one.
   */
  bytes(): AsyncIterable<Uint8Array>
}

export interface FileBounds {
  /** The most bytes of the file. */
  limit: number
  /** The least bytes a second while we wait for the client, measured over `windowMs`. */
  leastBytesPerSecond: number
  windowMs: number
}

/** Throws `errors.tooLarge` for a Content-Length over the limit, before a byte of the body is read. */
export function refuseTooLong({ headers }: FastifyRequest, limit: number): void {
  if (Number(headers['content-length']) > limit + frameBytes) throw errors.tooLarge(limit)
}

/**
 * Opens the one file of a multipart body, its part `file`; fields beside it are ignored. The connection of a body that
 * is too long is closed. Throws `errors.invalidInput` if the body is no multipart, has no such part or a second one, or is
 * cut short, and `errors.unreadable(408)` if it is too slow; bytes() throws the same.
 */
export async function openFilePart(request: FastifyRequest, bounds: FileBounds): Promise<FilePart> {
  if (!request.isMultipart()) throw fault(['header', 'content-type'], 'must be multipart/form-data')
  const parts = request.parts()
  const whileFast = slowness(request, bounds)
  const read = async <T>(step: Promise<IteratorResult<T>>) => {
    try {
      const { done, value } = await whileFast(boundParser(request.raw, bounds.windowMs, step))
      return done ? undefined : value
    } catch (error) {
      throw unreadable(error)
    }
  }
  const next = () => read(parts.next())
  const first = next()
  boundLength(request, bounds.limit)
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
      const chunks: AsyncIterator<Uint8Array> = file[Symbol.asyncIterator]()
      for (let chunk = await read(chunks.next()); chunk; chunk = await read(chunks.next())) yield chunk
      // Fields after the file are read and ignored.
      while (await next());
    },
  }
}

/**
 * Calls `refuse` once, with `errors.unreadable(408)`, if a body is too slow. The host's own idle timeout is turned off, since it
 * would count the time in which we wait for the object store.
 */
export function boundSpeed(
  { raw }: FastifyRequest,
  { leastBytesPerSecond, windowMs }: Pick<FileBounds, 'leastBytesPerSecond' | 'windowMs'>,
  refuse: (error: ApiError) => void,
): void {
  raw.socket.setTimeout(0)
  boundRate(raw, { windowMs, leastBytes: (leastBytesPerSecond * windowMs) / 1_000 }, refuse)
}

/**
 * Returns a function that awaits a step of the reading, and rejects with `errors.unreadable(408)` once the body is too slow.
 */
function slowness(request: FastifyRequest, bounds: FileBounds) {
  let slow: ApiError | undefined
  let refuse: ((error: ApiError) => void) | undefined
  boundSpeed(request, bounds, (error) => {
    slow = error
    refuse?.(error)
  })
  // A race with one promise of the whole upload would keep the bytes of every step until its end.
  return <T>(step: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      refuse = reject
      step.then(resolve, reject)
      if (slow) reject(slow)
    })
}

/** Closes the connection of a body that is too long. */
function boundLength({ raw }: FastifyRequest, limit: number): void {
  let left = limit + frameBytes
  raw.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) raw.destroy()
  })
}

function unreadable(error: unknown) {
  if (error instanceof ApiError) return error
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'FST_FILES_LIMIT') return fault(['body', 'file'], 'must be one file')
  if (code === 'FST_FIELDS_LIMIT' || code === 'FST_PARTS_LIMIT') return fault(['body'], 'has too many parts')
  return fault(['body'], 'is no whole multipart body')
}
