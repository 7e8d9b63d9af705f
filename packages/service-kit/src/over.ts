import type { FastifyReply, FastifyRequest } from 'fastify'

/**
 * Calls `act` when the exchange is over, well or not; at once when it already is, and perhaps again. An answer that
 * waits behind another one of its connection never closes, so the end of its request counts too.
 */
export function whenOver({ raw }: FastifyRequest, reply: FastifyReply, act: () => void): void {
  if (raw.socket.destroyed || reply.raw.destroyed) act()
  reply.raw.once('close', act)
  raw.once('close', () => raw.socket.destroyed && act())
}
