import { beginTrace, isTracing, type OpenSpan, startTracing, type Tracing } from '@playtherapy/tracing'
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'
import type { Static, TObject } from 'typebox'
import type { TraceSettings } from './settings.ts'
import { build } from './version.ts'

/** While spans are dropped, one line in a minute says so. */
const sayAgainMs = 60_000

export interface Traces extends Tracing {
  /** Where it is logged that spans were dropped. */
  log: Pick<FastifyBaseLogger, 'warn'> | undefined
}

/** Turns tracing on where the settings name a collector. Call it before anything that may be traced. */
export async function startTraces(service: string, config: Static<TObject<typeof TraceSettings>>): Promise<Traces> {
  let saidAt = Number.NEGATIVE_INFINITY
  const tracing = await startTracing({
    endpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT,
    ratio: config.OTEL_TRACES_SAMPLER_ARG,
    service,
    version: build.version,
    onFailure(error) {
      if (performance.now() - saidAt < sayAgainMs) return
      saidAt = performance.now()
      traces.log?.warn({ err: error }, 'traces cannot be sent, so they are dropped')
    },
  })
  const traces: Traces = { log: undefined, close: () => tracing.close() }
  return traces
}

/** The ids of a request that are known when it has ended. */
const idsOf = ({ userId, caseId, sessionId }: FastifyRequest) => ({
  ...(userId > 0 && { 'playtherapy.user_id': userId }),
  ...(caseId > 0 && { 'playtherapy.case_id': caseId }),
  ...(sessionId > 0 && { 'playtherapy.session_id': sessionId }),
})

/**
 * Gives each request of the API a span, from its first hook until its connection has no more of it, and its lines in the log the id of
 * its trace. It holds the pattern of the route, and never the path or the query. Event streams have none: they last for hours, and what
 * they read is read for all of them. Does nothing while tracing is off.
 */
export function installTraces(host: FastifyInstance): void {
  if (!isTracing()) return
  const spans = new WeakMap<FastifyRequest, OpenSpan>()
  host.addHook('onRequest', (request, reply, next) => {
    const { method, routeOptions, headers } = request
    const route = routeOptions.url ?? ''
    if (!route.startsWith('/contents/api/') || route.startsWith('/contents/api/events')) return next()
    const { traceparent } = headers
    const span = beginTrace(
      {
        name: `${method} ${route}`,
        kind: 'server',
        attributes: { 'http.request.method': method, 'http.route': route },
      },
      typeof traceparent === 'string' ? traceparent : undefined,
    )
    if (!span) return next()
    spans.set(request, span)
    if (span.isRecorded) {
      request.log = request.log.child({ trace_id: span.traceId })
      reply.log = request.log
    }
    reply.raw.once('close', () => {
      const { statusCode } = reply
      span.note({ 'http.response.status_code': statusCode, ...idsOf(request) })
      span.end(statusCode >= 500 ? `${statusCode}` : undefined)
    })
    span.within(next)
  })
  // What reads a body calls the next hook from the events of its stream, which know nothing of the request.
  host.addHook('preValidation', (request, _reply, next) => {
    const span = spans.get(request)
    if (span) span.within(next)
    else next()
  })
}
