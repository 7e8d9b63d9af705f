import type { FastifyInstance, FastifyRequest } from 'fastify'
import { errors } from './errors.ts'

/** Requests of one process that may wait for their answer to begin; more would only wait longer. */
const mostWaiting = 500

/**
 * Keeps a slow or silent part from piling up requests: beyond so many that wait for their answer, or when one has not
 * begun within once or twice `answerMs` after the request came in whole, it is 503 with Retry-After. Answers under way
 * take their time. Routes that stream their body bound themselves.
 */
export function installAdmission(scope: FastifyInstance, answerMs = 30_000): void {
  const waiting = new Map<FastifyRequest, NodeJS.Timeout>()
  const leave = (request: FastifyRequest) => {
    clearInterval(waiting.get(request))
    waiting.delete(request)
  }
  scope.addHook('onRequest', async (request, reply) => {
    const { raw, routeOptions } = request
    if (routeOptions.config.streams) return
    if (waiting.size >= mostWaiting) throw errors.unavailable()
    let whole = false
    const watch = setInterval(() => {
      if (whole) reply.send(errors.unavailable())
      whole = raw.complete
    }, answerMs)
    waiting.set(request, watch)
    reply.raw.once('close', () => leave(request))
  })
  scope.addHook('onSend', async (request) => leave(request))
}
