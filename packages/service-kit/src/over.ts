import type { FastifyReply, FastifyRequest } from 'fastify'

/**
 * Calls `act` when request and response are over, whether complete or aborted; at once if they already are. It may call
 * it more than once. A response that waits behind another one on its connection is never closed, so the end of its
 * request counts, too.
 */
export function whenOver({ raw }: FastifyRequest, reply: FastifyReply, act: () => void): void {
  if (raw.socket.destroyed || reply.raw.destroyed) act()
  reply.raw.once('close', act)
  raw.once('close', () => raw.socket.destroyed && act())
}
