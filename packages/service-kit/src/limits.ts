import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import { errors } from './errors.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route streams its body and watches over it by itself: a transfer may take hours. */
    streams?: boolean
  }
}

/** Bounds how many requests a therapist makes in a minute, settled after the token and before the body. */
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
}
