import { createShares, whenOver } from '@playtherapy/service-kit'
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
export function scriptMemory(): WithMemory {
  const shares = createShares(heldBytes)
  return async (request, reply, bytes, work) => {
    const release = shares.take(request.userId, bytes)
    try {
      return await work()
    } finally {
      whenOver(request, reply, release)
    }
  }
}
