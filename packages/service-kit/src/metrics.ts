import type { FastifyInstance } from 'fastify'
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

declare module 'fastify' {
  interface FastifyInstance {
    /** Adds numbers of an app to `/metrics`. */
    addMetrics(source: MetricSource): void
  }
}

/** Memory, CPU, event loop and garbage collection: one registry for the process, however many hosts it has. */
let ofProcess: Registry | undefined

/** Numbers by name, read when `/metrics` is requested. A source that fails leaves its numbers out. */
export type MetricSource = () => Promise<Record<string, number>>

/**
 * Adds `/metrics` for Prometheus: the process, its requests by method, route pattern and status, and the numbers of
 * `ofHost` and of its apps. Labels never hold an id. The gateway does not pass this path on.
 */
export function installMetrics(host: FastifyInstance, ofHost: MetricSource[] = []): void {
  const sources = [...ofHost]
  host.decorate('addMetrics', (source) => {
    sources.push(source)
  })
  if (!ofProcess) {
    ofProcess = new Registry()
    collectDefaultMetrics({ register: ofProcess })
  }
  const own = new Registry()
  const requests = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the request line to the end of the answer',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600, 3600],
    registers: [own],
  })
  host.addHook('onResponse', ({ method, routeOptions }, reply, next) => {
    const labels = { method, route: routeOptions.url ?? 'none', status: reply.statusCode }
    requests.observe(labels, reply.elapsedTime / 1000)
    next()
  })
  const both = Registry.merge([ofProcess, own])
  host.get('/metrics', { schema: { hide: true } }, async (_request, reply) => {
    const current = new Registry()
    for (const numbers of await Promise.allSettled(sources.map((source) => source()))) {
      if (numbers.status === 'rejected') continue
      for (const [name, value] of Object.entries(numbers.value)) {
        new Gauge({ name, help: name.replaceAll('_', ' '), registers: [current] }).set(value)
      }
    }
    reply.type(both.contentType)
    return (await both.metrics()) + (await current.metrics())
  })
}
