import type { IncomingMessage } from 'node:http'
import { type ApiError, errors } from './errors.ts'

/** How fast a body has to come, and how long it may be. */
export interface Rate {
  /** Milliseconds of waiting for the client over which bytes are counted. */
  windowMs: number
  /** Bytes that have to come in each window unless the body ends in it; infinite where it has to end in the first. */
  leastBytes: number
  /** Most bytes on the wire, framing included; none by default. */
  mostBytes?: number
}

/** Looks at a body in one window. */
const looks = 10

/**
 * Watches the body of a request until it has come, and calls `refuse` once, with 408 when it is slower than `rate` or
 * with 413 when it is longer. Only the time counts in which the client could send: not that in which the reader holds it
 * back, nor that in which this process was too busy to read. The caller ends the request.
 */
export function boundRate(request: IncomingMessage, rate: Rate, refuse: (error: ApiError) => void): void {
  const { windowMs, leastBytes, mostBytes = Number.POSITIVE_INFINITY } = rate
  const { socket } = request
  const start = socket.bytesRead
  let counted = start
  let waits = 0
  const timer = setInterval(() => {
    if (request.complete || request.destroyed) return clearInterval(timer)
    const end = (error: ApiError) => {
      clearInterval(timer)
      refuse(error)
    }
    if (socket.bytesRead - start > mostBytes) return end(errors.tooLarge(mostBytes))
    // A full buffer means that the reader has stopped; Node then takes nothing more from the client.
    if (request.readableLength < request.readableHighWaterMark) waits++
    if (waits < looks) return
    if (socket.bytesRead - counted < leastBytes) return end(errors.unreadable(408))
    counted = socket.bytesRead
    waits = 0
  }, windowMs / looks).unref()
  request.once('close', () => clearInterval(timer))
}
