/**
 * Bytes of a part. S3 takes parts from 5 MiB and 10,000 of them, which would end at 48 GiB; from 20 GiB on they are
 * larger, and reach 89 GiB.
 */
export const partBytes = (number: number) => (number <= 4_096 ? 5 : 12) * 1024 ** 2

/** Most buffers of one upload: with several parts on their way the store never waits for the next one. */
const mostOfUpload = 5
/** Buffers beyond the one that every upload has; the upload that asks first gets them. */
const mostSpare = 4
/** Most buffers that are kept to be filled again: touching fresh memory takes longer than filling it. */
const mostIdle = 8

/** The part buffers of all uploads of a store. */
export interface PartPool {
  /** Begins an upload, whose only memory these buffers are, however fast its source is. */
  open(): PartBuffers
}

/** The buffers of one upload. */
export interface PartBuffers {
  /** A buffer of so many bytes; waits until the upload may have one more. Rejects with what `fail` was given. */
  take(bytes: number): Promise<Uint8Array>
  /** Gives back a buffer, or the filled part of one, that nobody reads any more. */
  give(buffer: Uint8Array): void
  /** Lets all calls of `take` reject, also those that wait: a part could not be sent. */
  fail(error: unknown): void
  /** Ends the upload: gives back all that it still has, and rejects a call of `take` that waits. */
  end(): void
}

/**
 * Bounds the memory of uploads. Every upload has one buffer for itself, so that none waits for another to begin, and
 * up to four more of those that all share. While there are uploads, buffers are kept to be filled again.
 */
export function createPartPool(): PartPool {
  const idle: Uint8Array[] = []
  const waiting = new Set<() => void>()
  let spare = mostSpare
  let uploads = 0

  function wakeAll(): void {
    for (const wake of waiting) wake()
    waiting.clear()
  }

  return {
    open() {
      let held = 0
      let failure: { error: unknown } | undefined
      uploads += 1
      const letGo = (count: number) => {
        spare += Math.max(0, held - 1) - Math.max(0, held - count - 1)
        held -= count
        wakeAll()
      }
      return {
        async take(bytes) {
          while (!failure && held > 0 && (held === mostOfUpload || spare === 0)) {
            await new Promise<void>((resolve) => waiting.add(resolve))
          }
          if (failure) throw failure.error
          if (held > 0) spare -= 1
          held += 1
          const at = idle.findIndex(({ length }) => length === bytes)
          return idle.splice(at, at < 0 ? 0 : 1)[0] ?? Buffer.allocUnsafeSlow(bytes)
        },
        give(buffer) {
          // The rest of a body is a view of a buffer that was not filled.
          if (buffer.length === buffer.buffer.byteLength) idle.push(buffer)
          if (idle.length > mostIdle) idle.shift()
          letGo(1)
        },
        fail(error) {
          failure ??= { error }
          wakeAll()
        },
        end() {
          failure ??= { error: new Error('the upload has ended') }
          letGo(held)
          uploads -= 1
          if (uploads === 0) idle.length = 0
        },
      }
    },
  }
}

/** A body in whole parts and a rest, each in a buffer that its sender gives back. */
export async function* partsOf(body: AsyncIterable<Uint8Array>, buffers: PartBuffers): AsyncGenerator<Uint8Array> {
  let number = 1
  let filling = await buffers.take(partBytes(number))
  let filled = 0
  for await (const chunk of body) {
    for (let copied = 0; copied < chunk.length; ) {
      const piece = chunk.subarray(copied, copied + filling.length - filled)
      filling.set(piece, filled)
      copied += piece.length
      filled += piece.length
      if (filled < filling.length) continue
      yield filling
      filling = await buffers.take(partBytes(++number))
      filled = 0
    }
  }
  if (filled > 0) yield filling.subarray(0, filled)
}
