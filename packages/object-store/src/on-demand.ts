import { Readable } from 'node:stream'
import { destroyOnAbort } from './abortable.ts'
import { type GetOptions, StoreSilentError } from './object-store.ts'

/** Longest time for which a source waits for its reader before it is closed. */
const waitMs = 1_000
/** Bytes of the first piece: what a player reads after a seek. */
const firstBytes = 1024 ** 2
/** Bytes of a piece for a slow reader. They are read at once, so this is the memory of such a reader. */
const slowBytes = 256 * 1024
/** How many times larger the next piece is for a fast reader. */
const growth = 8

export interface Source {
  body: Readable
  /** Bytes of the whole object. */
  size: number
  etag: string
}

/** Opens the bytes from `from` to `to`, inclusive, or to the end; only of the version `etag`, if given. */
export type OpenSource = (from: number, to?: number, etag?: string) => Promise<Source>

/**
 * The bytes of an object, from sources (connections, open files) that are held only while bytes move. Players pause for
 * minutes, so a source that waited a second for its reader is closed, and a new one continues. A read with an end has
 * pieces of about what its reader reads in a second: stores read far ahead, in vain when the client disconnects. A source
 * that breaks after some bytes is replaced too. Before the first byte it rejects as `open` does.
 */
export async function readOnDemand(
  open: OpenSource,
  { start = 0, end, ifMatch, turn, signal }: GetOptions,
): Promise<Readable> {
  signal?.throwIfAborted()
  /** Opens a piece of at most `bytes`, or of the turn's bytes if they are fewer; a read without an end is one piece. */
  async function openInTurn(from: number, last: number | undefined, bytes: number, etag?: string) {
    const mine = await turn?.()
    const to = last === undefined ? last : Math.min(last, from + Math.min(bytes, mine?.bytes ?? bytes) - 1)
    try {
      const source = await open(from, to, etag)
      if (mine) source.body.once('close', mine.giveBack)
      return { ...source, piece: (to ?? source.size - 1) - from + 1 }
    } catch (error) {
      mine?.giveBack()
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
        if (stream.destroyed || done === before || error instanceof StoreSilentError) throw error
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

/** All bytes of a source, or those before it broke. Rejects when it breaks before the first byte. */
async function allOf(source: Readable): Promise<Buffer[]> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of source) chunks.push(chunk)
  } catch (error) {
    if (chunks.length === 0) throw error
  }
  return chunks
}
