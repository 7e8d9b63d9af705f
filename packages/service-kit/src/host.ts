import { randomUUID } from 'node:crypto'
import cors from '@fastify/cors'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import Fastify, { type FastifyInstance, type FastifyPluginAsync } from 'fastify'
import { installAccess } from './access.ts'
import { installAdmission } from './admission.ts'
import { type AuthSettings, installAuth } from './auth.ts'
import { answerFrameworkError, installErrorHandler } from './error-handler.ts'
import { errors } from './errors.ts'
import { installHeaders } from './headers.ts'
import { installHealth, type ReadyChecks } from './health.ts'
import { installHolding, mostHeldBytes } from './holding.ts'
import { installJsonBody } from './json-body.ts'
import { installLimits } from './limits.ts'
import { installLingering } from './lingering.ts'
import { createLogger, installRequestLog, type LogLevel, quietLog } from './log.ts'
import { installMetrics } from './metrics.ts'
import { createShares } from './shares.ts'
import { refuseUnreadable } from './unreadable.ts'
import { installValidation } from './validation.ts'
import { build } from './version.ts'

/** Headers of answers that a browser's scripts may read. */
const exposedHeaders = [
  'Content-Disposition',
  'Content-Length',
  'Content-Range',
  'ETag',
  'Link',
  'Report-Script-Version',
  'Report-Stale',
  'Report-Version',
  'Retry-After',
  'Script-Version',
  'X-Request-Id',
]

/** Of the API page. The library's own lies beside its code, where a bundle does not find it. */
const logo = {
  type: 'image/svg+xml',
  content: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 150 30">
    <text x="2" y="22" fill="#fff" font-family="sans-serif" font-size="22">PlayTherapy</text>
  </svg>`,
}

/** What the API page may do, beside our own files: it writes styles into itself, and calls us. */
const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Longest silence on a connection, in milliseconds; a transfer may last for hours as long as bytes move. */
const idleMs = 120_000

export interface HostOptions {
  /** Shown in the OpenAPI document and in every log line. */
  name: string
  description: string
  auth: AuthSettings
  /** Browser origins that may call, exactly as the browser spells them. */
  corsOrigins: string[]
  logLevel: LogLevel
  /** Requests that one therapist may make in a minute, on this process. */
  requestsPerMinute: number
  ready: ReadyChecks
  /** Patience with an answer that does not begin, in milliseconds; half a minute by default. */
  answerMs?: number
  /** Patience with a body that is read whole, in milliseconds; ten seconds by default. */
  bodyMs?: number
  /** Registers the apps; each brings its routes in a scope of its own. */
  apps: FastifyPluginAsync
}

/**
 * Builds the root that every service process stands on: logging, CORS, tokens, errors, validation, health and the API
 * page at `/documentation`. In production it carries one app, in the local stack three. Nothing listens yet.
 */
export async function createHost(options: HostOptions): Promise<FastifyInstance> {
  const host = Fastify({
    loggerInstance: createLogger(options.name, options.logLevel),
    logController: quietLog,
    genReqId: (request) => {
      const given = request.headers['x-request-id']
      return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID()
    },
    connectionTimeout: idleMs,
    keepAliveTimeout: 65_000,
    // A connection that says nothing, or drips its head, is looked for every 5 s.
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 5_000, maxHeaderSize: 16_384 },
    bodyLimit: 1_048_576,
    serializerOpts: { ajv: { meta: false } },
    // A closing host answers by the table of errors, see below.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    // An id that is too long is for the guard to refuse; the largest header block bounds it.
    routerOptions: { maxParamLength: 16_384 },
    frameworkErrors: answerFrameworkError,
    clientErrorHandler: refuseUnreadable,
  })
  installErrorHandler(host)
  installRequestLog(host)
  installHeaders(host)
  installLingering(host)
  installValidation(host)
  installJsonBody(host)
  await host.register(cors, {
    origin: options.corsOrigins,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowedHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key', 'If-Match', 'If-None-Match'],
    exposedHeaders,
    maxAge: 600,
    // An OPTIONS that is no preflight gets the same answer, rather than one outside the table of errors.
    strictPreflight: false,
  })
  // After CORS: a browser may read these answers too.
  let closing = false
  host.addHook('preClose', async () => {
    closing = true
  })
  host.addHook('onRequest', (request, reply, next) => {
    reply.header('x-request-id', request.id).header('cache-control', 'no-store')
    // Nobody's body is read to be told that there is no such route.
    next(closing ? errors.unavailable() : request.is404 ? errors.routeNotFound() : undefined)
  })
  // A connection that goes on would keep the process from ending.
  host.addHook('onSend', (_request, reply, _payload, next) => {
    if (closing) reply.header('connection', 'close')
    next()
  })
  await installAuth(host, options.auth)
  installAccess(host)
  await host.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: options.name, description: options.description, version: `${build.version}+${build.commit}` },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
    },
  })
  await host.register(swaggerUi, {
    routePrefix: '/documentation',
    logo,
    uiConfig: { persistAuthorization: true },
    staticCSP: pagePolicy,
  })
  const requests = installAdmission(host, options.answerMs)
  const bytes = createShares(mostHeldBytes)
  installHealth(host, options.ready, () => requests.isFull)
  installMetrics(host, [async () => ({ requests_waiting: requests.held, request_bytes_held: bytes.held })])
  await installLimits(host, options.requestsPerMinute)
  await host.register(async (scope) => {
    installHolding(scope, bytes, options.bodyMs)
    await scope.register(options.apps)
  })
  return host
}
