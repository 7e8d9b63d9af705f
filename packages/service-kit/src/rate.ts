import type { IncomingMessage, ServerResponse } from 'node:http'
import { type ApiError, errors } from './errors.ts'

/** How fast bytes have to move. */
export interface Rate {
  /** Milliseconds of waiting for the client over which bytes are counted. */
  windowMs: number
  /** Bytes that have to move in each window unless the transfer ends in it; infinite where it has to end in the first. */
  leastBytes: number
}

/** Looks at a transfer in one window. */
const looks = 10

interface Transfer {
  hasEnded(): boolean
  /** Bytes that have moved on the connection. */
  moved(): number
  /** Whether it is the client who has to act. */
  waits(): boolean
}

/** Calls `act` once if a transfer is slower than its rate. A process that is too busy to look counts no time. */
function watch({ windowMs, leastBytes }: Rate, { hasEnded, moved, waits }: Transfer, act: () => void): void {
  let counted = moved()
  let waited = 0
  const timer = setInterval(() => {
    if (hasEnded()) return clearInterval(timer)
    if (waits()) waited++
    if (waited < looks) return
    if (moved() - counted < leastBytes) {
      clearInterval(timer)
      return act()
    }
    counted = moved()
    waited = 0
  }, windowMs / looks).unref()
}

/**
 * Watches the body of a request until it has come, and calls `refuse` once, with 408, when it is slower than `rate`. Only
 * the time counts in which the client could send: not that in which the reader holds the body back. The caller ends the
 * request, and bounds the number of bytes.
 */
export function boundRate(request: IncomingMessage, rate: Rate, refuse: (error: ApiError) => void): void {
  const { socket } = request
  const transfer = {
    hasEnded: () => request.complete || request.destroyed,
    moved: () => socket.bytesRead,
    // A full buffer means that the reader has stopped; Node then takes nothing more from the client.
    waits: () => request.readableLength < request.readableHighWaterMark,
  }
  watch(rate, transfer, () => refuse(errors.unreadable(408)))
}

/** Cuts the connection of a client that reads a streamed answer slower than `rate`. */
export function boundReading(response: ServerResponse, rate: Rate): void {
  const { socket } = response
  if (!socket) return
  const transfer = {
    hasEnded: () => response.writableFinished || response.destroyed,
    moved: () => socket.bytesWritten - socket.writableLength,
    // What the system does not take from us, the client does not take from it.
    waits: () => socket.writableLength > 0,
  }
  watch(rate, transfer, () => response.destroy())
}
