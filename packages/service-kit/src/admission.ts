import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { errors } from './errors.ts'
import { createShares, type Shares } from './shares.ts'

interface Waiting {
  request: FastifyRequest
  reply: FastifyReply
  giveBack: () => void
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
  interface FastifyInstance {
    /**
     * Lets a request of `request.userId` wait for its answer, once its token is known. Throws 429 when this therapist
     * has a quarter of all that may wait, and 503 when as many wait as may.
     */
    admit(request: FastifyRequest, reply: FastifyReply): void
  }
}

/** Requests of one process that may wait for their answer to begin; more would only wait longer. */
const mostWaiting = 500

/**
 * Keeps a slow or silent part from piling up requests, and one therapist from being all that wait. Every request with a
 * good token takes a place before anything else is asked, and leaves it when its answer begins. One whose answer has not
 * begun within once or twice `answerMs` after it came in whole is 503 with Retry-After; bodies that are streamed take
 * their time. Returns what is held.
 */
export function installAdmission(scope: FastifyInstance, answerMs = 30_000): Shares {
  const shares = createShares(mostWaiting)
  // No Map: each time one is laid out anew, V8 keeps the requests of its former layout until the next full collection.
  const waiting: Waiting[] = []
  const leave = (request: FastifyRequest) => {
    const mine = request.waiting
    if (!mine) return
    request.waiting = null
    mine.giveBack()
    const last = waiting.pop()
    if (!last || last === mine) return
    last.at = mine.at
    waiting[last.at] = last
  }
  // One look at all is cheaper than a timer for each, which most requests would only set and clear.
  const watch = setInterval(() => {
    for (const each of [...waiting]) {
      if (each.request.routeOptions.config.streams) continue
      if (each.whole) each.reply.send(errors.unavailable())
      each.whole = each.request.raw.complete
    }
  }, answerMs).unref()
  scope.addHook('onClose', async () => clearInterval(watch))
  scope.decorateRequest('waiting', null)
  scope.decorate('admit', (request, reply) => {
    const giveBack = shares.take(request.userId)
    request.waiting = { request, reply, giveBack, whole: false, at: waiting.length }
    waiting.push(request.waiting)
  })
  scope.addHook('onSend', (request, _reply, _payload, next) => {
    leave(request)
    next()
  })
  scope.addHook('onRequestAbort', (request, next) => {
    leave(request)
    next()
  })
  return shares
}
