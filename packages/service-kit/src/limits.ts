import type { IncomingMessage, ServerResponse } from 'node:http'
import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import { errors } from './errors.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route streams its body and watches over it by itself: a transfer may take hours. */
    streams?: boolean
  }
}

/** Longest time, in milliseconds, that a body may take which is not streamed: 20 MiB at 0.6 Mbit/s. */
const bodyMs = 300_000

/**
 * Bounds what one caller can ask of this process: requests a minute for each therapist, settled after the token and
 * before the body, and the time in which a body must be there, so that dripping bytes hold no connection for ever.
 */
export async function installLimits(host: FastifyInstance, requestsPerMinute: number): Promise<void> {
  await host.register(rateLimit, {
    hook: 'preParsing',
    max: requestsPerMinute,
    timeWindow: 60_000,
    // Nobody counts along; who was refused is told when to come again.
    addHeadersOnExceeding: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false },
    keyGenerator: ({ userId, ip }) => (userId > 0 ? `therapist ${userId}` : `address ${ip}`),
    errorResponseBuilder: (_request, { ttl }) => errors.tooManyRequests(Math.ceil(ttl / 1000)),
  })
  host.addHook('preParsing', ({ raw, routeOptions }, reply, payload, next) => {
    if (!routeOptions.config.streams && !raw.complete) boundBody(raw, reply.raw)
    next(null, payload)
  })
}

/** Cuts the connection of a body that is not there in time. */
function boundBody(request: IncomingMessage, response: ServerResponse): void {
  const timer = setTimeout(() => request.complete || request.socket.destroy(), bodyMs).unref()
  response.once('close', () => clearTimeout(timer))
}
