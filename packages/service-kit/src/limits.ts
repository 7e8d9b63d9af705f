import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import { errors } from './errors.ts'
import type { Refusals } from './shares.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route streams its body and limits it by itself, because a transfer may take hours. */
    streams?: boolean
  }
}

/** Limits how many requests a therapist may send in a minute. Checked after the token and before the body is read. */
export async function installLimits(host: FastifyInstance, requestsPerMinute: number): Promise<void> {
  const refused: Refusals = { therapist: 0, process: 0 }
  host.meter.refusals('pace', refused)
  await host.register(rateLimit, {
    hook: 'preParsing',
    max: requestsPerMinute,
    timeWindow: 60_000,
    onExceeded() {
      refused.therapist += 1
    },
    // Clients need no counters. A refused response carries Retry-After.
    addHeadersOnExceeding: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false },
    keyGenerator: ({ userId, ip }) => (userId > 0 ? `therapist ${userId}` : `address ${ip}`),
    errorResponseBuilder: (_request, { ttl }) => errors.tooManyRequests(Math.ceil(ttl / 1000)),
  })
}
