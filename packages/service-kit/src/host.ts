import { randomUUID } from 'node:crypto'
import cors from '@fastify/cors'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { requestHeaders, responseHeaders } from '@playtherapy/object-store'
import Fastify, { type FastifyInstance, type FastifyPluginAsync } from 'fastify'
import { installAccess } from './access.ts'
import { installAdmission } from './admission.ts'
import { installCauses } from './audit.ts'
import { installAuth } from './auth.ts'
import type { AuthSettings } from './auth-settings.ts'
import { answerFrameworkError, installErrorHandler } from './error-handler.ts'
import { errors } from './errors.ts'
import { installHeaders } from './headers.ts'
import { installHealth, type ReadyChecks } from './health.ts'
import { installHolding, mostHeldBytes } from './holding.ts'
import { installJsonBody } from './json-body.ts'
import { installLimits } from './limits.ts'
import { installLingering } from './lingering.ts'
import { installLinks } from './links.ts'
import { createLogger, installRequestLog, type LogLevel, quietLog } from './log.ts'
import { installMethods } from './methods.ts'
import { createMeter, installMetrics, measureRequests } from './metrics.ts'
import { nameSchemas } from './openapi.ts'
import { createShares } from './shares.ts'
import { installTickets } from './tickets.ts'
import { installTraces } from './traces.ts'
import { noteResponses, refuseUnreadable } from './unreadable.ts'
import { installValidation } from './validation.ts'
import { build } from './version.ts'

/** Response headers that scripts of another origin may read in a browser. */
const exposedHeaders = [
  ...responseHeaders,
  'Allow',
  'Content-Disposition',
  'Last-Modified',
  'Link',
  'Location',
  'Report-Script-Version',
  'Report-Stale',
  'Report-Version',
  'Script-Version',
  'Tus-Checksum-Algorithm',
  'Tus-Extension',
  'Tus-Max-Size',
  'Tus-Resumable',
  'Tus-Version',
  'Upload-Defer-Length',
  'Upload-Expires',
  'Upload-Length',
  'Upload-Metadata',
  'Upload-Offset',
  'WWW-Authenticate',
  'X-Request-Id',
]

/** The groups of the API page. */
const tags = [
  { name: 'case', description: 'The cases of a therapist: a child each' },
  { name: 'session', description: 'The sessions of a case' },
  { name: 'video', description: 'The recording of a session: upload, state, playback' },
  { name: 'playback', description: 'What signed links open, without a token' },
  { name: 'script', description: 'What was said in a session, and its versions' },
  { name: 'report', description: 'Analysis reports of sessions' },
  { name: 'events', description: 'What changes, as server-sent events' },
  { name: 'erasure', description: 'Proof that what was deleted is gone' },
  { name: 'export', description: 'All that is held of a case, in one file' },
  { name: 'audit', description: 'Who saw and changed what' },
  { name: 'operations', description: 'The installation, for its operators' },
  { name: 'auth', description: 'The stand-in for the sign-in service; only `npm start` has it' },
  { name: 'health', description: 'For load balancers and orchestrators' },
]

/** The logo of the API page. The library's own is a file beside its code, which a bundle does not find. */
const logo = {
  type: 'image/svg+xml',
  content: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 150 30">
    <text x="2" y="22" fill="#fff" font-family="sans-serif" font-size="22">PlayTherapy</text>
  </svg>`,
}

/** The content security policy of the API page: it loads our files, adds styles to itself, and calls our routes. */
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

/** How long a connection may be silent, in milliseconds. A transfer may last for hours as long as bytes move. */
const idleMs = 120_000

export interface HostOptions {
  /** Shown in the OpenAPI document and in every log line. */
  name: string
  description: string
  auth: AuthSettings
  /** Origins whose pages may call us, exactly as browsers spell them. */
  corsOrigins: string[]
  logLevel: LogLevel
  /** Addresses of the gateways whose `X-Forwarded-For` is believed, as `172.18.0.0/16,10.0.0.7`; none by default. */
  trustedProxy?: string | undefined
  /** How many requests one therapist may send to this process in a minute. */
  requestsPerMinute: number
  ready: ReadyChecks
  /** How long a response may take to begin, in milliseconds; 30 s by default. */
  answerMs?: number
  /** How long a body may take that is read as a whole, in milliseconds; 10 s by default. */
  bodyMs?: number
  /** Registers the apps, each with its routes in a scope of its own. */
  apps: FastifyPluginAsync
}

/**
 * Builds the host of every service process: logging, CORS, tokens, errors, validation, health and the API page at
 * `/documentation`. In production it has one app, in the local stack three. It does not listen yet.
 */
export async function createHost(options: HostOptions): Promise<FastifyInstance> {
  const host = Fastify({
    loggerInstance: createLogger(options.name, options.logLevel),
    logController: quietLog,
    genReqId: (request) => {
      const given = request.headers['x-request-id']
      return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID()
    },
    trustProxy: options.trustedProxy ?? false,
    connectionTimeout: idleMs,
    keepAliveTimeout: 65_000,
    // Every 5 s Node looks for connections that have sent nothing, or whose headers are incomplete for too long.
    http: {
      headersTimeout: 10_000,
      connectionsCheckingInterval: 5_000,
      maxHeaderSize: 16_384,
      requireHostHeader: false,
    },
    bodyLimit: 1_048_576,
    serializerOpts: { ajv: { meta: false } },
    // A closing host answers with `errors.unavailable`, see below.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    // The guard refuses an id that is too long. The limit on headers bounds its length.
    routerOptions: { maxParamLength: 16_384 },
    frameworkErrors: answerFrameworkError,
    clientErrorHandler: refuseUnreadable,
  })
  noteResponses(host)
  installTraces(host)
  const meter = createMeter(host.log)
  host.decorate('meter', meter)
  measureRequests(host, meter)
  installErrorHandler(host)
  installRequestLog(host)
  installHeaders(host)
  const refuseOtherMethods = installMethods(host)
  installLingering(host)
  installValidation(host)
  installJsonBody(host)
  await host.register(cors, {
    origin: options.corsOrigins,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowedHeaders: [...requestHeaders, 'Last-Event-ID'],
    exposedHeaders,
    maxAge: 600,
    // An OPTIONS request that is not a preflight gets the same response, not one outside the table of errors.
    strictPreflight: false,
  })
  // This hook runs after CORS, so that browsers may read these responses, too.
  let closing = false
  host.addHook('preClose', async () => {
    closing = true
  })
  host.addHook('onRequest', (request, reply, next) => {
    // Node would refuse it with an empty body (RFC 9112, section 3.2).
    const lacksHost = request.raw.httpVersion === '1.1' && request.headers.host === undefined
    reply.header('x-request-id', request.id).header('cache-control', 'no-store')
    // What lasts longer than a drain is better begun elsewhere, and the body of a request to no route is not read.
    const comesLate = closing && request.routeOptions.config.streams
    if (lacksHost) next(errors.unreadable(400))
    else next(comesLate ? errors.unavailable() : request.is404 ? errors.routeNotFound() : undefined)
  })
  // A connection that stays open would keep the process from ending.
  host.addHook('onSend', (_request, reply, _payload, next) => {
    if (closing) reply.header('connection', 'close')
    next()
  })
  const keysReady = await installAuth(host, options.auth)
  installLinks(host, options.auth)
  installTickets(host, options.auth)
  installAccess(host)
  installCauses(host)
  await host.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: options.name,
        description: options.description,
        version: `${build.version}+${build.commit}`,
        license: { name: 'MIT', identifier: 'MIT' },
        contact: { name: 'PlayTherapy' },
      },
      tags,
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
    },
    // The library would cut this address off the paths.
    transformObject: (document) =>
      'openapiObject' in document ? { servers: [{ url: '/' }], ...nameSchemas(document.openapiObject) } : {},
  })
  await host.register(swaggerUi, {
    routePrefix: '/documentation',
    logo,
    uiConfig: { persistAuthorization: true },
    staticCSP: pagePolicy,
  })
  const requests = installAdmission(host, options.answerMs)
  const bytes = createShares(mostHeldBytes)
  installHealth(host, { ...options.ready, ...keysReady }, { isFull: () => requests.isFull })
  installMetrics(host, meter)
  meter.gauges(
    {
      requests_waiting: { help: 'Requests that wait for their response to begin, of the 500 that may' },
      request_held_bytes: { help: 'Bytes of bodies and unread responses in memory, of the 64 MiB that may be' },
    },
    async () => ({ requests_waiting: requests.held, request_held_bytes: bytes.held }),
  )
  meter.refusals('bytes', bytes.refused)
  await installLimits(host, options.requestsPerMinute)
  await host.register(async (scope) => {
    installHolding(scope, bytes, options.bodyMs)
    await scope.register(options.apps)
  })
  refuseOtherMethods()
  return host
}
