/**
 * Bytes of a part. S3 takes parts from 5 MiB and 10,000 of them, which would end at 48 GiB; from 20 GiB on they are
 * larger, and reach 89 GiB.
 */
export const partSize = (number: number) => (number <= 4_096 ? 5 : 12) * 1024 ** 2

/** Most buffers of one upload: with several parts on their way the store never waits for the next one. */
const most = 5

/** Buffers beyond the one that every upload has, for whoever asks first. */
let spare = 4

/** What is at hand to be filled again while anything is uploaded: to touch fresh memory takes longer than to fill it. */
const idle: Uint8Array[] = []
const mostIdle = 8
let uploads = 0

/** Those who wait for a buffer, whoever gives one back. */
const waiting = new Set<() => void>()
function wakeAll(): void {
  for (const wake of waiting) wake()
  waiting.clear()
}

/** The buffers of one upload, which holds nothing else however fast its source is. */
export interface PartBuffers {
  /** One to fill; waits until there is one. Rejects once a part could not be sent. */
  take(size: number): Promise<Uint8Array>
  /** Gives back what was sent: nobody reads it any more. */
  give(buffer: Uint8Array): void
  fail(error: unknown): void
  /** Leaves what it still has to others. */
  end(): void
}

export function createPartBuffers(): PartBuffers {
  let held = 0
  let failure: { error: unknown } | undefined
  uploads += 1
  const letGo = (count: number) => {
    spare += Math.max(0, held - 1) - Math.max(0, held - count - 1)
    held -= count
    wakeAll()
  }
  return {
    async take(size) {
      for (;;) {
        if (failure) throw failure.error
        if (held === 0 || (held < most && spare > 0)) {
          if (held > 0) spare -= 1
          held += 1
          const at = idle.findIndex(({ length }) => length === size)
          return idle.splice(at, at < 0 ? 0 : 1)[0] ?? Buffer.allocUnsafeSlow(size)
        }
        await new Promise<void>((resolve) => waiting.add(resolve))
      }
    },
    give(buffer) {
      // The rest of a body is a view of one that was not filled.
      if (buffer.length === buffer.buffer.byteLength) idle.push(buffer)
      if (idle.length > mostIdle) idle.shift()
      letGo(1)
    },
    fail(error) {
      failure ??= { error }
      wakeAll()
    },
    end() {
      letGo(held)
      uploads -= 1
      if (uploads === 0) idle.length = 0
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
