import { ownTurn } from './own-turn.ts'

const mebibyte = 1024 ** 2
/** S3 accepts no smaller part but the last one. Larger ones than `mostBytes` would take too much memory. */
const [leastBytes, mostBytes] = [5 * mebibyte, 8 * mebibyte]

/**
 * Bytes of a part. S3 accepts 10,000 parts of at least 5 MiB, which are 48 GiB; the parts after 20 GiB are larger, so the
 * limit is 89 GiB. Where a client sends an object in requests of `requestBytes`, parts are as much larger as it takes to end the
 * last part of each request with it.
 */
export function partBytes(number: number, requestBytes = 0): number {
  if (number > 4_096) return 12 * mebibyte
  const ofRequest = Math.floor(requestBytes / leastBytes)
  const bytes = Math.floor(requestBytes / ofRequest)
  const lastBytes = requestBytes - (ofRequest - 1) * bytes
  // Also where the request is smaller than any part.
  if (!(lastBytes <= mostBytes)) return leastBytes
  return number % ofRequest === 0 ? lastBytes : bytes
}

/** Most buffers of one upload: while several parts are sent, the store never waits for the next one. */
const mostOfUpload = 5
/** Buffers beyond the one that every upload has; the upload that asks first gets them. */
const mostSpare = 4
/**
 * Memory that nothing uses is kept for so long, because the first use of fresh memory is slower than the copy into it. A
 * resumable upload comes in several requests.
 */
const idleMs = 10_000

/** The part buffers of all uploads of a store. */
export interface PartPool {
  /** Begins an upload; these buffers are its only memory, however fast its source is. */
  open(): PartBuffers
}

/** The buffers of one upload. */
export interface PartBuffers {
  /** Returns a buffer, once the upload may have one more. Rejects with the error that `fail` got. */
  take(bytes: number): Promise<Uint8Array>
  /** Gives back a buffer, or the filled start of one, that is no longer read. */
  give(buffer: Uint8Array): void
  /** A part could not be sent: all calls of `take` reject, waiting ones too. */
  fail(error: unknown): void
  /**
   * Ends the upload, and rejects a call of `take` that waits. Buffers that were not given back are not reused, because the
   * connection of a part that failed may still read them.
   */
  end(): void
}

/**
 * Bounds the memory of uploads. Every upload has one buffer of its own, so that it can begin at once, and up to four more
 * of those that all share. Parts of the requests of different clients have different sizes, so a buffer is a view of memory
 * that holds any part of the first 20 GiB. The memory is reused: there is never more of it than was in use at one time.
 */
export function createPartPool(): PartPool {
  /** The memory that was used last is at the end, and is used first. */
  const idle: { memory: ArrayBufferLike; since: number }[] = []
  const waiting = new Set<() => void>()
  let spare = mostSpare
  let forgetting: NodeJS.Timeout | undefined

  function wakeAll(): void {
    for (const wake of waiting) wake()
    waiting.clear()
  }

  /** Lets go of memory that was idle for long enough, and looks again when the next one is. */
  function forget(): void {
    const before = performance.now() - idleMs
    while (idle[0] && idle[0].since <= before) idle.shift()
    forgetting = idle[0] && setTimeout(forget, Math.ceil(idle[0].since - before)).unref()
  }

  return {
    open() {
      let held = 0
      let failure: { error: unknown } | undefined
      const throwFailure = () => {
        if (failure) throw failure.error
      }
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
          throwFailure()
          if (held > 0) spare -= 1
          held += 1
          const at = idle.findLastIndex(({ memory }) => memory.byteLength >= bytes)
          const [used] = idle.splice(at, at < 0 ? 0 : 1)
          if (used) return new Uint8Array(used.memory, 0, bytes)
          // What is idle is too small for a part after 20 GiB.
          idle.shift()
          // Fresh memory of this size mostly makes V8 collect garbage first.
          await ownTurn()
          throwFailure()
          return Buffer.allocUnsafeSlow(Math.max(bytes, mostBytes)).subarray(0, bytes)
        },
        give({ buffer: memory }) {
          idle.push({ memory, since: performance.now() })
          if (!forgetting) forgetting = setTimeout(forget, idleMs).unref()
          letGo(1)
        },
        fail(error) {
          failure ??= { error }
          wakeAll()
        },
        end() {
          failure ??= { error: new Error('the upload has ended') }
          letGo(held)
        },
      }
    },
  }
}

/**
 * Splits a body into parts from `number` on, each in a buffer that the caller gives back. Only the last may be smaller. There is
 * no buffer before a byte comes for it. The first part begins with so many bytes of `room`, all of which the caller fills. No
 * part has more bytes than were written into its buffer, because what follows them is of other uploads: throws when `room` is no
 * number of bytes of the first part.
 */
export async function* partsOf(
  body: AsyncIterable<Uint8Array>,
  buffers: PartBuffers,
  { number = 1, room = 0, sizeOfPart = (at: number) => partBytes(at) } = {},
): AsyncGenerator<Uint8Array> {
  if (!Number.isSafeInteger(room) || room < 0 || room > sizeOfPart(number))
    throw new RangeError(`a room of ${room} bytes`)
  let next = number
  let filling = room > 0 ? await buffers.take(sizeOfPart(next)) : undefined
  let filled = room
  try {
    for await (const chunk of body) {
      for (let copied = 0; copied < chunk.length; ) {
        filling ??= await buffers.take(sizeOfPart(next))
        const piece = chunk.subarray(copied, copied + filling.length - filled)
        filling.set(piece, filled)
        copied += piece.length
        filled += piece.length
        if (filled < filling.length) continue
        const part = filling
        filling = undefined
        filled = 0
        next += 1
        yield part
      }
    }
    if (!filling) return
    const part = filling.subarray(0, filled)
    filling = undefined
    yield part
  } finally {
    if (filling) buffers.give(filling)
  }
}
