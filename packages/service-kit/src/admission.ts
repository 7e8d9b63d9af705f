import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { errors } from './errors.ts'
import { createShares, type Refusals, type Shares } from './shares.ts'

interface Waiting {
  request: FastifyRequest
  reply: FastifyReply
  giveBack: () => void
  /** Whether the request was complete at the last check. */
  isComplete: boolean
  /** Its index in the list of waiting requests. */
  at: number
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set until its response begins. */
    waiting: Waiting | null
  }
  interface FastifyInstance {
    /**
     * Admits a request once its token is verified, with the share of `holder`, by default its therapist. Throws
     * `errors.tooManyRequests` (429) if a quarter of all requests that may wait are the holder's, and `errors.unavailable` (503)
     * if no more may wait.
     */
    admit(request: FastifyRequest, reply: FastifyReply, holder?: number): void
  }
}

/** How many requests of one process may wait for their response to begin; more would only wait longer. */
const mostWaiting = 500

/**
 * Limits how many requests wait, so that a slow database or store does not pile them up, and so that one therapist does
 * not take every place. Every request with a valid token takes a place before anything else is done, and returns it when
 * its response begins. A request whose response has not begun within one to two times `answerMs` after it was complete
 * gets `errors.unavailable` (503). Streamed bodies may take longer. Returns the places that are taken.
 *
 * Fastify's `handlerTimeout` does not do this: it is cleared once a body is read (fastify/fastify #6725, #7033).
 */
export function installAdmission(scope: FastifyInstance, answerMs = 30_000): Shares {
  const shares = createShares(mostWaiting)
  const late: Refusals = { therapist: 0, process: 0 }
  scope.meter.refusals('requests', shares.refused)
  scope.meter.refusals('wait', late)
  // An array and not a Map: each time a Map grows, V8 keeps the requests of its old table until the next full collection.
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
  // One timer for all is cheaper than one for each request, which most would only set and clear.
  const watch = setInterval(() => {
    for (const each of [...waiting]) {
      if (each.request.routeOptions.config.streams) continue
      if (each.isComplete) {
        late.process += 1
        each.reply.send(errors.unavailable())
      }
      each.isComplete = each.request.raw.complete
    }
  }, answerMs).unref()
  scope.addHook('onClose', async () => clearInterval(watch))
  scope.decorateRequest('waiting', null)
  scope.decorate('admit', (request, reply, holder = request.userId) => {
    const giveBack = shares.take(holder)
    request.waiting = { request, reply, giveBack, isComplete: false, at: waiting.length }
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
