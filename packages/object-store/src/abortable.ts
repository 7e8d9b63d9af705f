import { addAbortSignal, Readable } from 'node:stream'

/** The same bytes as a stream that an abort ends at once, even while its source is silent. */
export function abortable(body: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined): Readable {
  const stream = Readable.from(body, { objectMode: true, highWaterMark: 1 })
  return signal ? addAbortSignal(signal, stream) : stream
}
