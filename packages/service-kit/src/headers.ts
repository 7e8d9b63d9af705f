import type { FastifyInstance } from 'fastify'

/**
 * Headers of every answer: what a client stored is shown as what it is declared to be, and never as a page that runs
 * scripts, loads anything, or stands in a frame. A page that needs more says so itself. A recording may load itself, which
 * is how browsers show one that is opened in a tab; another origin's player may use it in any case.
 */
export const protectiveHeaders = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; media-src 'self'; frame-ancestors 'none'; sandbox",
  'referrer-policy': 'no-referrer',
}

/** Puts them on every answer of a host, refusals included. */
export function installHeaders(host: FastifyInstance): void {
  host.addHook('onRequest', (_request, reply, next) => {
    reply.headers(protectiveHeaders)
    next()
  })
}
