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

/** Fastify's own log: without its request lines, which hold URLs, and still with the answers that broke off. */
class QuietLog extends LogController {
  constructor() {
    super({ disableRequestLogging: true })
  }
  override streamError(error: Error, request: FastifyRequest): void {
    // The client left, and with it whatever it was that we read for it.
    if (request.raw.socket.destroyed) return
    request.log.error({ err: error }, 'an answer broke off')
  }
}

/** What every Fastify of ours logs by itself. */
export const quietLog = new QuietLog()

/**
 * One line a request: method, route pattern, ids, status, milliseconds. Never a URL or a query, which hold a child's
 * name or a key.
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
  // Nobody came for an answer any more; the stream that served it has been closed with it.
  host.addHook('onRequestAbort', async (request) => {
    request.log.info({ method: request.method, route: request.routeOptions.url ?? 'none' }, 'client left')
  })
}
