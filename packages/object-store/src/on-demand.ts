import { Readable } from 'node:stream'
import { destroyOnAbort } from './abortable.ts'

/** Longest time, in milliseconds, for which a source is held open while its reader takes nothing. */
const waitMs = 1_000
/** Bytes asked of the store after a reader was waited for. They are read at once, so this is what such a reader holds. */
const pieceBytes = 256 * 1024
/** How many times larger each further piece is, as long as its reader is not waited for. */
const growth = 4

export interface Wanted {
  /** The bytes asked for: from `start`, `length` of them. */
  start: number
  length: number
  /** The source that has been opened for all of them. */
  first: Readable
  /** Opens the bytes from `from` to `to`, inclusive, of the same version of the object. */
  open(from: number, to: number): Promise<Readable>
  /** Aborting it destroys the stream and its source. */
  signal?: AbortSignal | undefined
}

/**
 * The bytes of an object, read from a source (a connection, an open file) that is held only while bytes move. Players
 * pause for minutes and downloads are slow, so a source whose reader takes nothing for a second is closed, and the next
 * bytes come from a new one. A source that breaks after it brought something is replaced in the same way.
 */
export function readOnDemand({ start, length, first, open, signal }: Wanted): Readable {
  let source = first
  let isWaitedFor = false
  const close = () => {
    isWaitedFor = true
    source.destroy()
  }
  async function* bytes() {
    let piece = length
    for (let done = 0; ; ) {
      const before = done
      isWaitedFor = false
      try {
        for await (const chunk of piece > pieceBytes ? source : await allOf(source)) {
          done += chunk.length
          const timer = setTimeout(close, waitMs)
          try {
            yield chunk
          } finally {
            clearTimeout(timer)
          }
        }
      } catch (error) {
        if (stream.destroyed || done === before) throw error
      }
      if (done === length) return
      if (done === before) throw new Error('the object store broke off')
      piece = isWaitedFor ? pieceBytes : piece * growth
      source = await open(start + done, start + Math.min(length, done + piece) - 1)
      if (stream.destroyed) source.destroy()
    }
  }
  const stream = Readable.from(bytes(), { objectMode: false, highWaterMark: 64 * 1024 })
  stream.once('close', () => source.destroy())
  destroyOnAbort(stream, signal)
  return stream
}

/** All that a source brings, which may end early when it breaks. Rejects when it breaks before it brought anything. */
async function allOf(source: Readable): Promise<Buffer[]> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of source) chunks.push(chunk)
  } catch (error) {
    if (chunks.length === 0) throw error
  }
  return chunks
}
