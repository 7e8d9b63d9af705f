import { Readable } from 'node:stream'
import { destroyOnAbort } from './abortable.ts'
import type { GetOptions } from './object-store.ts'

/** Longest time, in milliseconds, for which a source waits for its reader before it is closed. */
const waitMs = 1_000
/** Bytes asked of the store at first: what a player reads after a seek. */
const firstBytes = 1024 ** 2
/** Bytes asked of the store for a slow reader. They are read at once, so this is what such a reader holds in memory. */
const slowBytes = 256 * 1024
/** How many times larger the next piece is for a reader that was not waited for. */
const growth = 8

export interface Source {
  body: Readable
  /** Bytes of the whole object. */
  size: number
  etag: string
}

/** Opens the bytes from `from` to `to`, inclusive, or to the end; of this version when `etag` is given. */
export type OpenSource = (from: number, to?: number, etag?: string) => Promise<Source>

/**
 * The bytes of an object, from sources (connections, open files) that are held only while bytes move. Players pause for
 * minutes and downloads are slow, so a source that had to wait a second for its reader is closed, and the next bytes
 * come from a new one. A read with an end comes in pieces, each about what its reader takes in a second: stores read far
 * ahead in what they are asked for, in vain when the reader leaves. A source that breaks after it brought something is
 * replaced, too. Rejects as `open` does before any byte.
 */
export async function readOnDemand(
  open: OpenSource,
  { start = 0, end, ifMatch, turn, signal }: GetOptions,
): Promise<Readable> {
  signal?.throwIfAborted()
  /** Opens a piece of at most `bytes`, or of fewer where the turn is for fewer; a read without an end is one piece. */
  async function openInTurn(from: number, last: number | undefined, bytes: number, etag?: string) {
    const taken = await turn?.()
    const to = last === undefined ? last : Math.min(last, from + Math.min(bytes, taken?.bytes ?? bytes) - 1)
    try {
      const source = await open(from, to, etag)
      if (taken) source.body.once('close', taken.giveBack)
      return { ...source, piece: (to ?? source.size - 1) - from + 1 }
    } catch (error) {
      taken?.giveBack()
      throw error
    }
  }
  const first = await openInTurn(start, end, firstBytes, ifMatch)
  const length = Math.max(0, Math.min(first.size, (end ?? first.size) + 1) - start)
  let { body } = first
  let isWaitedFor = false
  const close = () => {
    isWaitedFor = true
    body.destroy()
  }
  async function* bytes() {
    let { piece } = first
    for (let done = 0; ; ) {
      const before = done
      let leftMs = waitMs
      isWaitedFor = false
      try {
        for await (const chunk of piece > slowBytes ? body : await allOf(body)) {
          done += chunk.length
          const since = performance.now()
          const timer = setTimeout(close, leftMs)
          try {
            yield chunk
          } finally {
            clearTimeout(timer)
            leftMs -= performance.now() - since
          }
        }
      } catch (error) {
        if (stream.destroyed || done === before) throw error
      }
      if (done === length) return
      if (done === before) throw new Error('the object store broke off')
      const wanted = isWaitedFor ? slowBytes : piece * growth
      ;({ body, piece } = await openInTurn(start + done, start + length - 1, wanted, first.etag))
      if (stream.destroyed) body.destroy()
    }
  }
  const stream = Readable.from(bytes(), { objectMode: false, highWaterMark: 64 * 1024 })
  stream.once('close', () => body.destroy())
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
