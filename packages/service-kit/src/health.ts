import Fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { ErrorBody, installErrorHandler } from './error-handler.ts'
import { ApiError } from './errors.ts'
import { installHeaders } from './headers.ts'
import { quietLog } from './log.ts'
import { installMetrics, type MetricSource } from './metrics.ts'
import { build } from './version.ts'

/** One check for each part that a process needs, by name. A check rejects while its part cannot be used. */
export type ReadyChecks = Record<string, () => Promise<unknown>>

/** How long one check may take: less than the timeout of an orchestrator. */
const checkMs = 2_000

async function inTime(check: () => Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('timed out')), checkMs)
  })
  try {
    await Promise.race([check(), late])
  } finally {
    clearTimeout(timer)
  }
}

/** Returns the names of the parts that cannot be used right now. */
async function failingChecks(checks: ReadyChecks): Promise<string[]> {
  const names = Object.keys(checks)
  const results = await Promise.allSettled(Object.values(checks).map(inTime))
  return names.filter((_, index) => results[index]?.status === 'rejected')
}

const Ready = Type.Object({ status: Type.Literal('ok') }, { examples: [{ status: 'ok' }] })
const Alive = Type.Object(
  { status: Type.Literal('ok'), version: Type.String(), commit: Type.String() },
  { examples: [{ status: 'ok', version: '1.2.3', commit: '1151704' }] },
)

/**
 * Adds `/health/live`, which answers 200 with version and commit while the process runs, and `/health/ready`, which
 * answers 503 while a check fails, naming the parts that are down, or while `isFull` says that no further request is
 * admitted.
 */
export function installHealth(host: FastifyInstance, checks: ReadyChecks, isFull = () => false): void {
  host.get(
    '/health/live',
    { schema: { tags: ['health'], summary: 'The process answers, and which version it is', response: { 200: Alive } } },
    () => ({ status: 'ok', ...build }),
  )
  host.get(
    '/health/ready',
    {
      schema: { tags: ['health'], summary: 'The process can do its work', response: { 200: Ready, 503: ErrorBody } },
    },
    async (request) => {
      if (isFull()) throw new ApiError(503, 10, 'Not ready: as many requests wait as may', { retryAfter: 5 })
      const failing = await failingChecks(checks)
      if (failing.length > 0) request.log.error({ failing }, 'not ready')
      if (failing.length > 0) throw new ApiError(503, 10, `Not ready: ${failing.join(', ')}`, { retryAfter: 5 })
      return { status: 'ok' }
    },
  )
}

/** A host with nothing but health and metrics, for the worker, which serves no other requests. */
export function createHealthHost(
  checks: ReadyChecks,
  sources: MetricSource[],
  log: FastifyBaseLogger,
): FastifyInstance {
  const host = Fastify({ loggerInstance: log, logController: quietLog })
  installHeaders(host)
  installErrorHandler(host)
  installHealth(host, checks)
  installMetrics(host, sources)
  return host
}
