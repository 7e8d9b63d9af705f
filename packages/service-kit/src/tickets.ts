import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { AuthSettings } from './auth-settings.ts'
import { errors } from './errors.ts'
import { createSigner } from './signer.ts'

declare module 'fastify' {
  interface FastifyInstance {
    tickets: Tickets
  }
}

/** Tickets: signed parts of a path that open an event stream for a minute, because EventSource sends no header. */
interface Tickets {
  /** Makes the ticket of a therapist whose token ends at this second; `expiresAt` is when the ticket itself ends. */
  issue(userId: number, tokenEndsAt: number): { ticket: string; expiresAt: Date }
  /** Returns whose ticket it is, and when that token ends; undefined for any other text, and after its end. */
  read(ticket: string): { userId: number; tokenEndsAt: number } | undefined
}

/** A stream that breaks off within this time comes back by the same ticket. */
const ticketSeconds = 60

/** What is signed of a ticket: its purpose, the therapist, and the seconds in which the token and the ticket end. */
const ticketPattern = /^events:(\d+):(\d+):(\d+)$/

/** Path parameters of a route that a ticket opens, for the OpenAPI document. */
export const TicketParams = Type.Object({ ticket: Type.String({ description: 'The signed part of the path' }) })

/** Gives the host its tickets. */
export function installTickets(host: FastifyInstance, auth: AuthSettings): void {
  const signer = createSigner(auth)
  host.decorate('tickets', {
    issue(userId, tokenEndsAt) {
      // A stream of a token that has ended would end at once, and EventSource would come back again and again.
      const end = Math.min(Math.floor(Date.now() / 1000) + ticketSeconds, Math.floor(tokenEndsAt))
      return {
        ticket: signer.begin()('events', userId, Math.floor(tokenEndsAt), end),
        expiresAt: new Date(end * 1000),
      }
    },
    read(ticket) {
      const [, userId, tokenEndsAt, end] = ticketPattern.exec(signer.read(ticket) ?? '') ?? []
      if (Number(end ?? 0) * 1000 <= Date.now()) return undefined
      return { userId: Number(userId), tokenEndsAt: Number(tokenEndsAt) }
    },
  })
}

/**
 * The onRequest hook of a route that a ticket opens, in place of `requireTherapist`; a header Authorization is not read. Sets
 * the therapist of the request and the end of the token, and admits it. Throws `errors.linkNotFound` (404),
 * `errors.tooManyRequests` (429) and `errors.unavailable` (503).
 */
export async function requireTicket(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { ticket } = Object(request.params)
  const opened = typeof ticket === 'string' ? request.server.tickets.read(ticket) : undefined
  if (!opened) throw errors.linkNotFound()
  Object.assign(request, opened)
  request.server.admit(request, reply)
}
