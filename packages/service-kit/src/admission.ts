import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { errors } from './errors.ts'

interface Waiting {
  request: FastifyRequest
  reply: FastifyReply
  /** Whether the request had come in whole at the last look. */
  whole: boolean
  /** Its place in the list. */
  at: number
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set while it waits for its answer to begin. */
    waiting: Waiting | null
  }
}

/** Requests of one process that may wait for their answer to begin; more would only wait longer. */
const mostWaiting = 500

/**
 * Keeps a slow or silent part from piling up requests: beyond so many that wait for their answer, or when one has not
 * begun within once or twice `answerMs` after the request came in whole, it is 503 with Retry-After. Answers under way
 * take their time. Routes that stream their body bound themselves.
 */
export function installAdmission(scope: FastifyInstance, answerMs = 30_000): void {
  // No Map: each time one is laid out anew, V8 keeps the requests of its former layout until the next full collection.
  const waiting: Waiting[] = []
  const leave = (request: FastifyRequest) => {
    const mine = request.waiting
    if (!mine) return
    request.waiting = null
    const last = waiting.pop()
    if (!last || last === mine) return
    last.at = mine.at
    waiting[last.at] = last
  }
  // One look at all is cheaper than a timer for each, which most requests would only set and clear.
  const watch = setInterval(() => {
    for (const each of [...waiting]) {
      if (each.whole) each.reply.send(errors.unavailable())
      each.whole = each.request.raw.complete
    }
  }, answerMs).unref()
  scope.addHook('onClose', async () => clearInterval(watch))
  scope.decorateRequest('waiting', null)
  scope.addHook('onRequest', (request, reply, next) => {
    if (request.routeOptions.config.streams) return next()
    if (waiting.length >= mostWaiting) return next(errors.unavailable())
    request.waiting = { request, reply, whole: false, at: waiting.length }
    waiting.push(request.waiting)
    next()
  })
  scope.addHook('onSend', (request, _reply, _payload, next) => {
    leave(request)
    next()
  })
  scope.addHook('onRequestAbort', (request, next) => {
    leave(request)
    next()
  })
}
