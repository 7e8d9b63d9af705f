import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Database } from '@playtherapy/schema'
import { failures, fault, linkFailures, requireTherapist, requireTicket, TicketParams } from '@playtherapy/service-kit'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import { createNews } from './news.ts'
import { newsRepository } from './repository.ts'
import { EventsHeader, EventsQuery, SessionNews, Ticket } from './schemas.ts'

const about = {
  tags: ['events'],
  querystring: EventsQuery,
  headers: EventsHeader,
}
const stream = {
  description: 'Events, see services/contract.md. The data of an event `session` is shown here.',
  content: { 'text/event-stream': { schema: SessionNews } },
}

export interface EventOptions {
  db: Database
  timeZone: string
  /** Pause between two comments to each stream, in milliseconds; 15 s by default. */
  heartbeatMs?: number
  /** Longest time of each step of an opening, in milliseconds; 10 s by default. */
  openMs?: number
}

/** The routes that tell a therapist what changes, as server-sent events. */
export const eventRoutes: FastifyPluginAsyncTypebox<EventOptions> = async (
  app,
  { db, timeZone, heartbeatMs, openMs },
) => {
  const news = createNews({
    listen: db.$client.listen,
    repository: newsRepository(db, timeZone),
    log: app.log,
    heartbeatMs,
    openMs,
  })
  app.meter.gauges({ event_streams: { help: 'Event streams that are open' } }, async () => ({
    event_streams: news.held,
  }))
  app.meter.refusals('event_streams', news.refused)
  app.addHook('preClose', async () => news.end())
  app.addHook('onClose', () => news.close())

  const send = async (
    request: FastifyRequest,
    reply: FastifyReply,
    query: Static<typeof EventsQuery>,
    headers: Static<typeof EventsHeader>,
  ) => {
    const { userId, tokenEndsAt: endsAt } = request
    const { case_id } = query
    const caseId = case_id === undefined ? undefined : Number(case_id)
    if (caseId !== undefined && (caseId | 0) !== caseId)
      throw fault(['query', 'case_id'], 'must be an integer', 'integer')
    const lastEventId = headers['last-event-id'] || query.last_event_id || undefined
    const body = await news.open(request, reply, { userId, caseId, lastEventId, endsAt })
    // The case is the caller's, and the audit trail is told of it.
    if (caseId !== undefined) request.caseId = caseId
    return reply
      .headers({
        'content-type': 'text/event-stream; charset=utf-8',
        // A proxy that compressed the events would keep them back.
        'cache-control': 'no-store, no-transform',
        // nginx would collect them.
        'x-accel-buffering': 'no',
        // The connection of a stream that has ended would keep a process from closing.
        connection: 'close',
      })
      .send(body)
  }

  app.get(
    '/events',
    {
      exposeHeadRoute: false,
      config: { streams: true },
      onRequest: requireTherapist,
      schema: {
        ...about,
        security: [{ token: [] }],
        operationId: 'events.stream',
        summary: 'Follow what changes',
        response: { 200: stream, ...failures('caseNotFound') },
      },
    },
    (request, reply) => send(request, reply, request.query, request.headers),
  )
  app.post(
    '/events/ticket',
    {
      config: { audit: { action: 'link' } },
      onRequest: requireTherapist,
      schema: {
        tags: about.tags,
        security: [{ token: [] }],
        operationId: 'events.createTicket',
        summary: 'Get an address for EventSource, which sends no token',
        description:
          'Whoever has it can follow what changes: keep it as secret as a token. It opens streams for a minute.',
        response: { 200: Ticket, ...failures() },
      },
    },
    async ({ userId, tokenEndsAt }) => {
      const { ticket, expiresAt } = app.tickets.issue(userId, tokenEndsAt)
      return { url: `${app.prefix}/events/${ticket}`, expires_at: expiresAt.toISOString() }
    },
  )
  app.get(
    '/events/:ticket',
    {
      exposeHeadRoute: false,
      config: { streams: true },
      onRequest: requireTicket,
      schema: {
        ...about,
        params: TicketParams,
        operationId: 'events.streamByTicket',
        summary: 'Follow what changes, by an address of events/ticket',
        response: { 200: stream, ...linkFailures('invalidInput', 'caseNotFound') },
      },
    },
    (request, reply) => send(request, reply, request.query, request.headers),
  )
}
