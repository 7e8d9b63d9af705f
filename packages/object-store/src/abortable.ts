import type { Readable } from 'node:stream'
import type { Body } from './object-store.ts'

/**
 * The same bytes, until the signal fires: then the reader gets the reason at once, even while the source is silent.
 * (`addAbortSignal` on a stream made from a generator waits for the generator, and so for the silence to end.)
 */
export async function* abortable(body: AsyncIterable<Uint8Array>, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const source = body[Symbol.asyncIterator]()
  // One listener for all chunks: racing each against one long-lived promise would keep every chunk's reaction.
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

/** Destroys a stream, and with it what it holds open, when its reader has lost interest. */
export function destroyOnAbort(stream: Readable, signal?: AbortSignal): void {
  const stop = () => void stream.destroy()
  signal?.addEventListener('abort', stop, { once: true })
  stream.once('close', () => signal?.removeEventListener('abort', stop))
  if (signal?.aborted) stop()
}

/** A body that is at hand whole, as one that comes in chunks. */
export async function* chunksOf(body: Body): AsyncGenerator<Uint8Array> {
  if (body instanceof Uint8Array) yield body
  else yield* body
}
