import type { IncomingMessage, ServerResponse } from 'node:http'
import { type ApiError, errors } from './errors.ts'

/** How fast bytes must move. */
export interface Rate {
  /** How long to wait for the client before its bytes are counted. */
  windowMs: number
  /** Bytes that must move in each window unless the transfer ends in it; infinite if it must end in the first window. */
  leastBytes: number
}

/** The slowest useful transfer of a long body or a response: a GiB takes 18 hours. */
export const leastBytesPerSecond = 16_384

/** How often a transfer is checked in one window. */
const checksPerWindow = 10

interface Transfer {
  hasEnded(): boolean
  /** How many bytes have moved on the connection so far. */
  moved(): number
  /** Whether we are waiting for the client. */
  waits(): boolean
}

/** Calls `act` once if a transfer is slower than its rate. Time in which this process was too busy to check does not count. */
function watch({ windowMs, leastBytes }: Rate, { hasEnded, moved, waits }: Transfer, act: () => void): void {
  let counted = moved()
  let waited = 0
  const timer = setInterval(() => {
    if (hasEnded()) return clearInterval(timer)
    if (waits()) waited++
    if (waited < checksPerWindow) return
    if (moved() - counted < leastBytes) {
      clearInterval(timer)
      return act()
    }
    counted = moved()
    waited = 0
  }, windowMs / checksPerWindow).unref()
}

/** Whether the client is to send more. A full buffer means that our reader has stopped, and Node reads nothing more. */
const waitsForClient = ({ complete, socket, readableLength, readableHighWaterMark }: IncomingMessage) =>
  !complete && !socket.destroyed && readableLength < readableHighWaterMark

/**
 * Watches the body of a request until it is complete, and calls `refuse` once, with `errors.unreadable(408)`, if it is
 * slower than `rate`. Only time in which the client could send counts, not time in which our reader holds the body back.
 * The caller ends the request, and limits the number of bytes.
 */
export function boundRate(request: IncomingMessage, rate: Rate, refuse: (error: ApiError) => void): void {
  const { socket } = request
  const transfer = {
    hasEnded: () => request.complete || request.destroyed,
    moved: () => socket.bytesRead,
    waits: () => waitsForClient(request),
  }
  watch(rate, transfer, () => refuse(errors.unreadable(408)))
}

/**
 * Awaits what a multipart parser makes of a body. The parser can wait for itself for ever, also when it has the whole body
 * (fastify/busboy #228, expressjs/multer #1280), so this rejects with `errors.unreadable(408)` when the parser reads nothing
 * for `ms`. Time in which the client is to send more does not count, because {@link boundRate} watches it.
 */
export async function boundParser<T>(request: IncomingMessage, ms: number, parsed: Promise<T>): Promise<T> {
  const { socket } = request
  let timer: NodeJS.Timeout | undefined
  const stalled = new Promise<never>((_, reject) => {
    let [seen, idleChecks] = [socket.bytesRead, 0]
    timer = setInterval(() => {
      idleChecks = socket.bytesRead === seen && !waitsForClient(request) ? idleChecks + 1 : 0
      seen = socket.bytesRead
      if (idleChecks === checksPerWindow) reject(errors.unreadable(408))
    }, ms / checksPerWindow).unref()
  })
  return Promise.race([parsed, stalled]).finally(() => clearInterval(timer))
}

/** Closes the connection of a client that reads a streamed response more slowly than `rate`. */
export function boundReading(response: ServerResponse, rate: Rate): void {
  const { socket } = response
  if (!socket) return
  const transfer = {
    hasEnded: () => response.writableFinished || response.destroyed,
    moved: () => socket.bytesWritten - socket.writableLength,
    // If the operating system accepts no more bytes from us, the client is not reading.
    waits: () => socket.writableLength > 0,
  }
  watch(rate, transfer, () => response.destroy())
}
