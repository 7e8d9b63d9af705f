import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { downloadFailedCode } from './errors.ts'
import { inTime } from './in-time.ts'
import type { Refusals } from './shares.ts'
import { build } from './version.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The metrics of this host, to which its apps add theirs. */
    meter: Meter
  }
}

/** The labels of a metric with all values that each may have, so that their number is bounded and none is an id. */
type Labels = Record<string, readonly string[]>
type Labelled<L extends Labels> = { [Name in keyof L]: L[Name][number] }

interface About<L extends Labels> {
  /** By the rules of OpenMetrics: the unit comes last, and a counter ends in `_total`. */
  name: string
  help: string
  labels: L
}

/** What a gauge shows: a number, one for each set of labels, or nothing as long as it is not known. */
type Reading = number | { labels: Record<string, string>; value: number }[] | null | undefined

/** The metrics of one host. `.docker/observability/metrics.md` lists them all. */
export interface Meter {
  /** Adds a counter, which begins at 0 for all labels: otherwise the first event would not be seen as an increase. */
  counter<const L extends Labels>(about: About<L>): (labels: Labelled<L>, amount?: number) => void
  /** Adds a histogram with these upper bounds; it begins at 0 for all labels. */
  histogram<const L extends Labels>(about: About<L>, bounds: number[]): (labels: Labelled<L>, value: number) => void
  /**
   * Adds gauges, by name with their help, which are read together when `/metrics` is requested. While `read` fails, or has not
   * ended after three seconds, they have no value and hide no other metric. The log says it once, and `gauge_readings_failed` counts it.
   */
  gauges<Name extends string>(
    help: { [N in Name]: { help: string; labels?: string[] } },
    read: () => Promise<{ [N in Name]: Reading }>,
  ): void
  /** Shows in `requests_refused_total` what was refused because of a bound. */
  refusals(bound: string, refused: Refusals): void
  /** Counts a statement that failed because the database could not be used. */
  countOutage(): void
  /** Writes all in the text format of Prometheus. */
  read(): Promise<{ contentType: string; text: string }>
}

/** Memory, CPU, event loop and garbage collection: one registry for the process, however many hosts it has. */
let ofProcess: Registry | undefined

/** All combinations of the values of labels. */
const combinations = (labels: Labels): Record<string, string>[] =>
  Object.entries(labels).reduce<Record<string, string>[]>(
    (sets, [name, values]) => sets.flatMap((set) => values.map((value) => ({ ...set, [name]: value }))),
    [{}],
  )

/** How long a reading may take: less than the 10 s after which Prometheus gives up all metrics of the process. */
const readingMs = 3_000

/** Creates the metrics of a host. */
export function createMeter(log: Pick<FastifyBaseLogger, 'warn'>): Meter {
  if (!ofProcess) {
    ofProcess = new Registry()
    collectDefaultMetrics({ register: ofProcess })
    // The library calls these gauges totals, which only counters may be; they are sums of metrics that are there anyway.
    for (const kind of ['resources', 'handles', 'requests']) ofProcess.removeSingleMetric(`nodejs_active_${kind}_total`)
  }
  const own = new Registry()
  const registers = [own]
  /** Each resolves with whether it succeeded. */
  const readings: (() => Promise<boolean>)[] = []

  const outages = new Counter({
    name: 'statement_outages_total',
    help: 'Requests and jobs that failed because the database was away, restarted, overloaded, or too slow for a statement',
    registers,
  })
  const failed = new Gauge({
    name: 'gauge_readings_failed',
    help: 'Readings that failed or were too late at this scrape, so that their gauges have no value',
    registers,
  })
  const refusing: { bound: string; refused: Refusals }[] = []

  const meter: Meter = {
    counter({ name, help, labels }) {
      const counter = new Counter({ name, help, labelNames: Object.keys(labels), registers })
      for (const set of combinations(labels)) counter.inc(set, 0)
      return (set, amount = 1) => counter.inc({ ...set }, amount)
    },
    histogram({ name, help, labels }, buckets) {
      const histogram = new Histogram({ name, help, labelNames: Object.keys(labels), buckets, registers })
      for (const set of combinations(labels)) histogram.zero(set)
      return (set, value) => histogram.observe({ ...set }, value)
    },
    gauges(help, read) {
      const names = Object.keys(help).filter((name): name is keyof typeof help => name in help)
      const gauges = names.map((name) => {
        const { help: text, labels = [] } = help[name]
        return { name, labels, gauge: new Gauge({ name, help: text, labelNames: labels, registers }) }
      })
      let hasFailed = false
      readings.push(async () => {
        const values = await inTime(read(), readingMs).catch((error: unknown) => {
          if (!hasFailed) log.warn({ err: error, gauges: names }, 'metrics could not be read')
        })
        hasFailed = !values
        for (const { name, labels, gauge } of gauges) {
          const value = values?.[name]
          gauge.reset()
          if (typeof value === 'number') gauge.set(value)
          else if (labels.length === 0) gauge.remove()
          if (Array.isArray(value)) for (const each of value) gauge.set(each.labels, each.value)
        }
        return !hasFailed
      })
    },
    refusals(bound, refused) {
      refusing.push({ bound, refused })
    },
    countOutage: () => outages.inc(),
    async read() {
      const succeeded = await Promise.all(readings.map((reading) => reading()))
      failed.set(succeeded.filter((each) => !each).length)
      const text = await Promise.all([ofProcess, own].map((registry) => registry?.metrics()))
      return { contentType: own.contentType, text: text.join('') }
    },
  }

  new Counter({
    name: 'requests_refused_total',
    help: 'Requests that were refused because of a bound, by whose bound it was: the share of one therapist, or that of the process',
    labelNames: ['bound', 'whose'],
    registers,
    collect() {
      this.reset()
      for (const { bound, refused } of refusing) {
        for (const whose of ['therapist', 'process'] as const) this.inc({ bound, whose }, refused[whose])
      }
    },
  })
  meter.gauges(
    { build_info: { help: 'Always 1; the labels say which release this is', labels: ['version', 'commit'] } },
    async () => ({ build_info: [{ labels: { ...build }, value: 1 }] }),
  )
  return meter
}

/** Adds `/metrics` for Prometheus. The gateway does not pass this path on. */
export function installMetrics(host: FastifyInstance, meter: Meter): void {
  host.get('/metrics', { schema: { hide: true } }, async (_request, reply) => {
    const { contentType, text } = await meter.read()
    return reply.type(contentType).send(text)
  })
}

/** Counts the requests of a host by method, route pattern and status, and their time. */
export function measureRequests(host: FastifyInstance, meter: Meter): void {
  // The labels are not declared with their values, as those of other metrics are, because the apps bring their routes: there are as many
  // as routes, methods that Node knows and statuses.
  const labels: { method: string[]; route: string[]; status: string[] } = { method: [], route: [], status: [] }
  const observe = meter.histogram(
    {
      name: 'http_request_duration_seconds',
      help: 'Time from the request line to the end of the response',
      labels,
    },
    [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600, 3600],
  )
  // Of its own, because it begins at 0: of a histogram the first 503 of a route would be no increase.
  const count = meter.counter({
    name: 'api_requests_total',
    help: 'Requests below /contents/api/, by whether they only read and how they ended: ok, refused (4xx), failed (5xx, and what the object store did not give out)',
    labels: { kind: ['read', 'write'], outcome: ['ok', 'refused', 'failed'] },
  })
  host.addHook('onResponse', ({ method, routeOptions, errorCode }, reply, next) => {
    const route = routeOptions.url ?? 'none'
    const { statusCode: status } = reply
    observe({ method, route, status: `${status}` }, reply.elapsedTime / 1000)
    if (route.startsWith('/contents/api/')) {
      const kind = method === 'GET' || method === 'HEAD' ? 'read' : 'write'
      const isOurs = status >= 500 || errorCode === downloadFailedCode
      count({ kind, outcome: isOurs ? 'failed' : status >= 400 ? 'refused' : 'ok' })
    }
    next()
  })
}
