import { randomUUID } from 'node:crypto'
import { isIP } from 'node:net'
import { Readable } from 'node:stream'
import type { Action, Actor, Cause, Database } from '@playtherapy/schema'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { askedIds } from './access.ts'
import { errors } from './errors.ts'
import { type AuditEvent, createTrail } from './trail.ts'

/** What the audit trail tells of a route. */
interface Audited {
  action: Action
  /** What is seen or changed, such as `case`. */
  kind: string
  actor: Actor
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What differs from what method and tag of the route say, see `auditRequests`; false for a route that shows nothing of a case. */
    audit?: Partial<Audited> | false
  }
  interface FastifyRequest {
    /** Who makes this request, for the triggers of the audit trail. */
    readonly cause: Cause
    auditCause: Cause | null
    /** The `error_code` of the response, once it is refused. */
    errorCode: number | undefined
  }
}

const actions: Record<string, Action> = {
  GET: 'read',
  HEAD: 'read',
  POST: 'create',
  PUT: 'update',
  PATCH: 'update',
  DELETE: 'delete',
}

/** What routes with this tag show; routes with other tags show nothing of a case. */
const kinds: Record<string, string> = {
  case: 'case',
  session: 'session',
  video: 'video',
  playback: 'video',
  script: 'script',
  report: 'report',
  events: 'events',
  operations: 'operations',
  audit: 'audit',
  erasure: 'erasure',
  export: 'export',
}

/** What players, pages and uploads ask for again and again: one event for each viewer in ten minutes, unless it gives out links. */
const repeated = ['video', 'preview', 'upload', 'export']

/** Statuses of responses that tell nothing of a case: no valid token (counted by `/metrics`), too slow, too many requests. */
const untold = [401, 408, 429]

/** The address of the client as PostgreSQL reads it: IPv4 as such and without a port, IPv6 without a zone. */
function addressOf({ ip }: FastifyRequest): string | null {
  // A connection that is closed has none any more.
  const plain = (ip ?? '').replace(/^::ffff:(?=\d+\.)|(?<=^\d+\.\d+\.\d+\.\d+):\d+$|%.*$/g, '')
  return isIP(plain) ? plain : null
}

/** A UUID, or as many hex digits. Any other text that a client sends as `X-Request-Id` may name somebody, and the trail is never changed. */
const isRandom = (id: string) => /^[\da-f]{8}(-?)[\da-f]{4}\1[\da-f]{4}\1[\da-f]{4}\1[\da-f]{12}$/i.test(id)

/** Gives requests what the trail tells of them. */
export function installCauses(host: FastifyInstance): void {
  host.decorateRequest('auditCause', null)
  host.decorateRequest('errorCode', undefined)
  host.decorateRequest('cause', {
    getter(this: FastifyRequest) {
      const { actor = 'therapist' } = this.routeOptions.config.audit || {}
      this.auditCause ??= {
        actor,
        userId: this.userId || null,
        requestId: this.id,
        auditId: isRandom(this.id) ? this.id : randomUUID(),
        address: addressOf(this),
        isNamed: false,
      }
      return this.auditCause
    },
  })
}

/** Tells of a route by its method and tag, if it has one of ours. */
function describe({ method, schema, config = {} }: RouteOptions): Audited | undefined {
  const tags: unknown = Object(schema).tags
  const kind = Array.isArray(tags) ? kinds[tags[0]] : undefined
  if (!kind || config.audit === false) return undefined
  const action = actions[Array.isArray(method) ? (method[0] ?? '') : method] ?? 'read'
  return { action, kind, actor: kind === 'operations' ? 'operator' : 'therapist', ...config.audit }
}

const versionHeaders: Record<string, string> = { script: 'script-version', report: 'report-version' }

/** The number of the version that is shown, or the id of the recording or the export. */
function versionOf(kind: string, request: FastifyRequest, reply: FastifyReply): number | null {
  const header = versionHeaders[kind]
  if (header) return Number(reply.getHeader(header)) || null
  return ['video', 'preview', 'export'].includes(kind) ? request.videoId || null : null
}

/** What the trail is told of a response; undefined for what triggers have told, and for what shows nothing of a case. */
function eventOf(request: FastifyRequest, reply: FastifyReply): AuditEvent | undefined {
  const { audit } = request.routeOptions.config
  const { kind, action: usual } = audit || {}
  const { statusCode } = reply
  if (!kind || !usual || statusCode >= 500 || untold.includes(statusCode)) return undefined
  const { actor, userId, auditId: requestId, address, isNamed } = request.cause
  // A link that is forged names nobody.
  if (userId === null && actor === 'therapist') return undefined
  const about = { actor, userId, requestId, address, kind }
  const { caseId, sessionId } = request
  if (statusCode >= 400) {
    return { ...about, ...askedIds(request), action: 'refused', version: null, result: request.errorCode ?? statusCode }
  }
  if (isNamed) return undefined
  // A request that created nothing, because it was repeated, shows what is there.
  const action = usual === 'create' ? 'read' : usual
  const version = versionOf(kind, request, reply)
  return { ...about, action, caseId: caseId || null, sessionId: sessionId || null, version, result: 0 }
}

/**
 * Audits all routes of a scope that is registered after it: what method and tag of a route say, its configuration `audit` may say
 * otherwise. A response with content is held back until its event is durable; if the trail cannot be written it becomes
 * `errors.unavailable` (503), after `longestMs` at the latest.
 */
export function auditRequests(scope: FastifyInstance, db: Database, longestMs = 10_000): void {
  const trail = createTrail(db, longestMs)
  scope.addHook('onRoute', (route) => {
    route.config = { ...route.config, audit: describe(route) ?? false }
  })
  scope.addHook('onSend', (request, reply, payload, next) => {
    const event = eventOf(request, reply)
    if (!event) return next(null, payload)
    const { userId, address, kind, action, sessionId, version } = event
    const isRepeated = event.result === 0 && action !== 'link' && repeated.includes(kind)
    const key = [userId, address, kind, action, sessionId, version, 'token' in Object(request.params)].join(' ')
    const written = isRepeated ? trail.writeOnce(key, event) : trail.write(event)
    written.then(
      () => next(null, payload),
      (error: unknown) => {
        if (payload instanceof Readable) payload.destroy()
        request.log.error({ err: error }, 'the audit trail could not be written')
        next(errors.unavailable())
      },
    )
  })
}
