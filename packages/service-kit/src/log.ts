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
  const log = pino({
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: loggable },
    hooks: {
      // pino would copy the message of an error that stands alone, and Fastify passes the message of an error as its text.
      logMethod([first, ...rest], method) {
        if (first instanceof Error) return method.apply(this, [{ err: first }, 'an error'])
        const error: unknown = typeof first === 'object' && first !== null && 'err' in first ? first.err : undefined
        const isMessage = error instanceof Error && rest[0] === error.message
        method.apply(this, isMessage ? [first, 'an error'] : [first, ...rest])
      },
    },
  })
  log.info(build, 'starting')
  return log
}

/**
 * Fastify's own log without its request lines, because these hold URLs. Responses that broke off are still logged. The id of
 * a request has the same name in the logs of the gateway, the services and the worker.
 */
class QuietLog extends LogController {
  constructor() {
    super({ disableRequestLogging: true, requestIdLogLabel: 'request_id' })
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
        // The id in the audit trail and in receipts, where it is not that of the client.
        ...(request.auditCause &&
          request.auditCause.auditId !== request.id && { audit_id: request.auditCause.auditId }),
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
