import { createShares, type Meter, whenOver } from '@playtherapy/service-kit'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** Most bytes of scripts that all requests of a process hold; one therapist may hold a quarter, or one larger script. */
const heldBytes = 64 * 1024 ** 2

/**
 * Runs the work of a request that holds so many bytes. They are free again when the work has ended and the response was
 * sent or the client disconnected. Throws `errors.tooManyRequests` beyond the therapist's share, and
 * `errors.unavailable` beyond the bound of the process.
 */
export type WithMemory = <T>(
  request: FastifyRequest,
  reply: FastifyReply,
  bytes: number,
  work: () => Promise<T>,
) => Promise<T>

/** Creates the bound on memory; a process has one. */
export function scriptMemory(meter: Meter): WithMemory {
  const shares = createShares(heldBytes)
  meter.refusals('script_bytes', shares.refused)
  meter.gauges({ script_held_bytes: { help: 'Bytes of scripts in memory, of the 64 MiB that may be' } }, async () => ({
    script_held_bytes: shares.held,
  }))
  return async (request, reply, bytes, work) => {
    const release = shares.take(request.userId, bytes)
    try {
      return await work()
    } finally {
      whenOver(request, reply, release)
    }
  }
}
