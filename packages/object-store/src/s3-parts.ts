/**
 * Bytes of a part. S3 takes parts from 5 MiB and 10,000 of them, which would end at 48 GiB; from 20 GiB on they are
 * larger, and reach 89 GiB.
 */
export const partSize = (number: number) => (number <= 4_096 ? 5 : 12) * 1024 ** 2

/** Buffers that every upload has: one is filled while the other is on its way. */
const own = 2

/** More of them, for whoever asks first: with several parts on their way the store never waits for the next one. */
let spare = 3

/** The buffers of one upload, which holds nothing else however fast its source is. */
export interface PartBuffers {
  /** An empty one; waits until one is given back. Rejects once a part could not be sent. */
  take(size: number): Promise<Uint8Array>
  give(buffer: Uint8Array): void
  fail(error: unknown): void
  /** Leaves the spare ones to others. */
  end(): void
}

export function createPartBuffers(): PartBuffers {
  const free: Uint8Array[] = []
  let made = 0
  let failure: { error: unknown } | undefined
  let wake = () => {}
  return {
    async take(size) {
      for (;;) {
        if (failure) throw failure.error
        const buffer = free.pop()
        if (buffer?.length === size) return buffer
        // The first of the larger parts: the smaller buffers go.
        if (buffer) return Buffer.allocUnsafeSlow(size)
        if (made < own || spare > 0) {
          if (made >= own) spare -= 1
          made += 1
          return Buffer.allocUnsafeSlow(size)
        }
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    give(buffer) {
      free.push(buffer)
      wake()
    },
    fail(error) {
      failure ??= { error }
      wake()
    },
    end() {
      spare += Math.max(0, made - own)
    },
  }
}

/** A body in whole parts and a rest, each in a buffer that whoever has sent it gives back. */
export async function* partsOf(body: AsyncIterable<Uint8Array>, buffers: PartBuffers): AsyncGenerator<Uint8Array> {
  let number = 1
  let filling = await buffers.take(partSize(number))
  let filled = 0
  for await (const chunk of body) {
    for (let taken = 0; taken < chunk.length; ) {
      const piece = chunk.subarray(taken, taken + filling.length - filled)
      filling.set(piece, filled)
      taken += piece.length
      filled += piece.length
      if (filled < filling.length) continue
      yield filling
      filling = await buffers.take(partSize(++number))
      filled = 0
    }
  }
  if (filled > 0) yield filling.subarray(0, filled)
}
