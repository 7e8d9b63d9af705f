import { createShares, whenOver } from '@playtherapy/service-kit'
import type { FastifyReply, FastifyRequest } from 'fastify'

/**
 * Most bytes of scripts, as they came or as they leave, that the requests of one process hold together; a quarter of it
 * for one therapist, or one script alone whatever its size.
 */
const heldBytes = 64 * 1024 ** 2

/**
 * Runs the work of a request that holds so many bytes. They count as free when the work has ended and its answer was
 * sent or its client has disconnected. Throws `errors.tooManyRequests` (429) when they are more than the therapist's
 * share, and `errors.unavailable` (503) when they are more than there is room for.
 */
export type WithMemory = <T>(
  request: FastifyRequest,
  reply: FastifyReply,
  bytes: number,
  work: () => Promise<T>,
) => Promise<T>

/** The bound on what requests under way hold together; one for each process. */
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
