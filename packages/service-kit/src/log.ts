import { type FastifyBaseLogger, type FastifyInstance, type FastifyRequest, LogController } from 'fastify'
import { pino } from 'pino'
import { loggable } from './loggable.ts'
import { build } from './version.ts'

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'silent'

/**
 * Logs JSON lines to stdout; each names its process, and the first one also its version. Of an error only the fields
 * that `loggable` returns are written.
 */
export function createLogger(service: string, level: LogLevel): FastifyBaseLogger {
  const timestamp = pino.stdTimeFunctions.isoTime
  const log = pino({ level, base: { service }, timestamp, serializers: { err: loggable } })
  log.info(build, 'starting')
  return log
}

/** Fastify's own log without its request lines, because these hold URLs. Responses that broke off are still logged. */
class QuietLog extends LogController {
  constructor() {
    super({ disableRequestLogging: true })
  }
  override streamError(error: Error, request: FastifyRequest): void {
    // The client disconnected, so that our read for it was aborted as well. That is not an error.
    if (request.raw.socket.destroyed) return
    request.log.error({ err: error }, 'an answer broke off')
  }
}

/** The log controller of every Fastify instance of ours. */
export const quietLog = new QuietLog()

/**
 * Logs one line for each request: method, route pattern, ids, status, milliseconds. Never a URL or a query: these hold
 * a child's name or a key.
 */
export function installRequestLog(host: FastifyInstance): void {
  host.addHook('onResponse', (request, reply, next) => {
    request.log.info(
      {
        method: request.method,
        route: request.routeOptions.url ?? 'none',
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
        ...(request.userId > 0 && { user_id: request.userId }),
        ...(request.caseId > 0 && { case_id: request.caseId }),
        ...(request.sessionId > 0 && { session_id: request.sessionId }),
      },
      'request',
    )
    next()
  })
  // The client disconnected before the response was complete; the stream that served it is closed by now.
  host.addHook('onRequestAbort', async (request) => {
    request.log.info({ method: request.method, route: request.routeOptions.url ?? 'none' }, 'client left')
  })
}
