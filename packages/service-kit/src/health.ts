import Fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { answer, installErrorHandler } from './error-handler.ts'
import { ApiError } from './errors.ts'
import { installHeaders } from './headers.ts'
import { inTime } from './in-time.ts'
import { quietLog } from './log.ts'
import { reasonOf } from './loggable.ts'
import { installMethods } from './methods.ts'
import { installMetrics, type Meter, measureRequests } from './metrics.ts'
import { refusals } from './refusals.ts'
import { build } from './version.ts'

/** One check for each part that a process needs, by name. A check rejects while its part cannot be used. */
export type ReadyChecks = Record<string, () => Promise<unknown>>

/** The part in which another one lies, which is not named while that one is down: `{ outbox: 'database' }`. */
type PartsWithin = Record<string, string>

/** How long one check may take: less than the timeout of an orchestrator. */
const checkMs = 2_000

/**
 * Returns a function that checks all parts and resolves with the reasons of those that cannot be used, by name. A check
 * that still runs is joined, so that probes do not pile up on a part that hangs.
 */
function watchParts(checks: ReadyChecks, within: PartsWithin) {
  const running = new Map<string, Promise<unknown>>()
  const join = (name: string, check: () => Promise<unknown>) => {
    const checking = running.get(name) ?? check().finally(() => running.delete(name))
    running.set(name, checking)
    return inTime(checking, checkMs)
  }
  return async (): Promise<Record<string, string>> => {
    const names = Object.keys(checks)
    const results = await Promise.allSettled(Object.entries(checks).map(([name, check]) => join(name, check)))
    const reasons = new Map<string, string>()
    for (const [index, result] of results.entries()) {
      if (result.status === 'rejected') reasons.set(names[index] ?? '', reasonOf(result.reason))
    }
    return Object.fromEntries([...reasons].filter(([name]) => !reasons.has(within[name] ?? '')))
  }
}

const Ready = Type.Object({ status: Type.Literal('ok') }, { title: 'Ready', examples: [{ status: 'ok' }] })
const Alive = Type.Object(
  { status: Type.Literal('ok'), version: Type.String(), commit: Type.String() },
  { title: 'Alive', examples: [{ status: 'ok', version: '1.2.3', commit: '1151704' }] },
)

/**
 * Adds `/health/live`, which answers 200 with version and commit while the process runs, and `/health/ready`, which
 * answers 503 while a check fails, naming the parts that are down, or while `isFull` says that no further request is
 * admitted. `part_ready` has the same checks for alerts. Why they are down is logged when it changes, and not with each probe.
 */
export function installHealth(
  host: FastifyInstance,
  checks: ReadyChecks,
  { isFull = () => false, within = {} }: { isFull?: () => boolean; within?: PartsWithin } = {},
): void {
  host.get(
    '/health/live',
    {
      schema: {
        tags: ['health'],
        operationId: 'health.live',
        summary: 'The process answers, and which version it is',
        response: { 200: Alive, ...refusals('unreadable') },
      },
    },
    () => ({ status: 'ok', ...build }),
  )
  const check = watchParts(checks, within)
  host.meter.gauges(
    { part_ready: { help: 'Whether a part that this process needs can be used (1) or not (0)', labels: ['part'] } },
    async () => {
      const reasons = await check()
      const ready = (part: string) => ({ labels: { part }, value: part in reasons ? 0 : 1 })
      return { part_ready: Object.keys(checks).map(ready) }
    },
  )
  let logged = '{}'
  host.get(
    '/health/ready',
    {
      schema: {
        tags: ['health'],
        operationId: 'health.ready',
        summary: 'The process can do its work',
        response: { 200: Ready, ...refusals('unreadable', 'unavailable') },
      },
    },
    async (request, reply) => {
      const refuse = (why: string) =>
        answer(reply, request, new ApiError(503, 10, `Not ready: ${why}`, { retryAfter: 5 }))
      if (isFull()) return refuse('as many requests wait as may')
      const reasons = await check()
      const names = Object.keys(reasons)
      if (JSON.stringify(reasons) !== logged) {
        logged = JSON.stringify(reasons)
        if (names.length > 0) request.log.warn({ reasons }, 'not ready')
        else request.log.info('ready again')
      }
      return names.length > 0 ? refuse(names.join(', ')) : { status: 'ok' }
    },
  )
}

/** A host with nothing but health and metrics, for the worker, which serves no other requests. */
export function createHealthHost(
  checks: ReadyChecks,
  meter: Meter,
  log: FastifyBaseLogger,
  within: PartsWithin = {},
): FastifyInstance {
  const host = Fastify({ loggerInstance: log, logController: quietLog })
  installHeaders(host)
  host.decorate('meter', meter)
  measureRequests(host, meter)
  installErrorHandler(host)
  const refuseOtherMethods = installMethods(host)
  installHealth(host, checks, { within })
  installMetrics(host, meter)
  host.after(refuseOtherMethods)
  return host
}
