import type { FastifyInstance } from 'fastify'

/**
 * Headers of every response. A browser shows stored bytes only as their declared type, and never as a page that runs
 * scripts, loads anything, or is shown in a frame. A page that needs more sets its own headers. A recording may load
 * itself, because browsers do so when it is opened in a tab; a player of another origin may load it in any case.
 */
export const protectiveHeaders = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; media-src 'self'; frame-ancestors 'none'; sandbox",
  'referrer-policy': 'no-referrer',
}

/** Adds them to every response of a host, errors included. */
export function installHeaders(host: FastifyInstance): void {
  host.addHook('onRequest', (_request, reply, next) => {
    reply.headers(protectiveHeaders)
    next()
  })
}
