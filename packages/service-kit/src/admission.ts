import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { errors } from './errors.ts'

/** Requests of one process that may wait for their answer to begin; more would only wait longer. */
const mostWaiting = 500

/**
 * Keeps a slow or silent part from piling up requests: beyond so many that wait for their answer, or when one has not
 * begun within once or twice `answerMs` after the request came in whole, it is 503 with Retry-After. Answers under way
 * take their time. Routes that stream their body bound themselves.
 */
export function installAdmission(scope: FastifyInstance, answerMs = 30_000): void {
  /** By request: its reply, and whether it had come in whole at the last look. */
  const waiting = new Map<FastifyRequest, { reply: FastifyReply; whole: boolean }>()
  // One look at all is cheaper than a timer for each, which most requests would only set and clear.
  const watch = setInterval(() => {
    for (const [request, entry] of waiting) {
      if (entry.whole) entry.reply.send(errors.unavailable())
      entry.whole = request.raw.complete
    }
  }, answerMs).unref()
  scope.addHook('onClose', async () => clearInterval(watch))
  scope.addHook('onRequest', (request, reply, next) => {
    if (request.routeOptions.config.streams) return next()
    if (waiting.size >= mostWaiting) return next(errors.unavailable())
    waiting.set(request, { reply, whole: false })
    reply.raw.once('close', () => waiting.delete(request))
    next()
  })
  scope.addHook('onSend', (request, _reply, _payload, next) => {
    waiting.delete(request)
    next()
  })
}
