import type { Readable } from 'node:stream'
import type { Body } from './object-store.ts'

/**
 * The same bytes, until the signal fires: then the reader gets its reason at once, even while the source is silent.
 * (`addAbortSignal` on a stream made from a generator waits for the generator's next chunk.)
 */
export async function* abortable(body: AsyncIterable<Uint8Array>, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const source = body[Symbol.asyncIterator]()
  // One listener for all chunks: `Promise.race` with one long-lived promise would keep memory for every chunk.
  let refuse: (reason: unknown) => void = () => {}
  const stop = () => refuse(signal?.reason)
  signal?.addEventListener('abort', stop, { once: true })
  try {
    for (;;) {
      signal?.throwIfAborted()
      const { done, value } = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        refuse = reject
        source.next().then(resolve, reject)
      })
      if (done) return
      yield value
    }
  } finally {
    signal?.removeEventListener('abort', stop)
    source.return?.().catch(() => {})
  }
}

/** Destroys a stream, and so closes what it holds open, when the signal fires. */
export function destroyOnAbort(stream: Readable, signal?: AbortSignal): void {
  const stop = () => void stream.destroy()
  signal?.addEventListener('abort', stop, { once: true })
  stream.once('close', () => signal?.removeEventListener('abort', stop))
  if (signal?.aborted) stop()
}

/** A body as chunks. */
export async function* chunksOf(body: Body): AsyncGenerator<Uint8Array> {
  if (body instanceof Uint8Array) yield body
  else yield* body
}
