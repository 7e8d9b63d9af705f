import { createHash } from 'node:crypto'
import { abortable } from '@playtherapy/object-store'
import type { Container } from '@playtherapy/schema'
import { explain, sniff, sniffBytes } from '../sniff.ts'

/** A checksum of the bytes of one request, as the client computed it. */
export interface Checksum {
  algorithm: 'md5' | 'sha1' | 'sha256'
  digest: Buffer
}

interface Expected {
  /** The first bytes of the recording, as far as they came earlier and the container is not known. */
  start: Buffer
  container: Container | null
  /** The most bytes that may come, and the error of more. */
  most: number
  excess: Error
  /** Whether the recording is complete when so many bytes have come. */
  isComplete: (received: number) => boolean
  checksum: Checksum | undefined
  /** Aborted when no more is to be read. */
  stop: AbortSignal
}

/** What comes of a recording in one request. */
export interface Incoming {
  /** Ends at the end of the request, also when the client has disconnected. Throws `excess` and NotAVideoError. */
  bytes: AsyncGenerator<Uint8Array>
  /** Bytes that have come. */
  readonly received: number
  /** The first bytes of the recording, as long as they are too few to tell its container. */
  readonly start: Buffer
  readonly container: Container | null
  /** Whether the request ended before its end. */
  readonly wasCut: boolean
  /** For how long we have been waiting for the client, in milliseconds. */
  silentMs(): number
  /** Whether all bytes came, with the checksum that was sent; true without one. */
  isIntact(): boolean
}

/** Reads what comes in one request, counts it, and finds out by its first bytes whether it can be a recording. */
export function readIncoming(
  source: AsyncIterable<Uint8Array>,
  { start, container, most, excess, isComplete, checksum, stop }: Expected,
): Incoming {
  const hash = checksum && createHash(checksum.algorithm)
  const chunks = abortable(source, stop)
  const state = { received: 0, start, container, wasCut: false }
  let waitsSince: number | undefined

  async function next(): Promise<Uint8Array | undefined> {
    waitsSince = performance.now()
    try {
      const { done, value } = await chunks.next()
      return done ? undefined : value
    } catch {
      // The bytes that came before are as good as those of a request that ended.
      state.wasCut = true
      return undefined
    } finally {
      waitsSince = undefined
    }
  }

  async function tellContainer(chunk: Uint8Array): Promise<void> {
    state.start = Buffer.concat([state.start, chunk.subarray(0, sniffBytes - state.start.length)])
    if (state.start.length < sniffBytes && !isComplete(state.received)) return
    state.container = (await sniff(state.start)) ?? null
    // Bytes with a checksum may have changed on their way: then the client sends them again.
    if (!state.container && !hash) throw await explain(state.start)
  }

  async function* bytes() {
    try {
      for (let chunk = await next(); chunk; chunk = await next()) {
        state.received += chunk.length
        if (state.received > most) throw excess
        hash?.update(chunk)
        if (!state.container && state.start.length < sniffBytes) await tellContainer(chunk)
        yield chunk
      }
    } finally {
      await chunks.return(undefined)
    }
  }

  return {
    bytes: bytes(),
    get received() {
      return state.received
    },
    get start() {
      return state.start
    },
    get container() {
      return state.container
    },
    get wasCut() {
      return state.wasCut
    },
    silentMs: () => (waitsSince === undefined ? 0 : performance.now() - waitsSince),
    isIntact: () => !hash || (!state.wasCut && hash.digest().equals(checksum?.digest ?? Buffer.alloc(0))),
  }
}
