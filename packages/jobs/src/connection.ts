import type { JobName } from '@playtherapy/schema'
import {
  type BackendFactory,
  type IQueueBackend,
  type JobProgress,
  PostgresConnection,
  PostgresQueueBackend,
  type Processor,
  Queue,
  Worker,
} from 'bullmq'
import { type JobData, workerOptions } from './catalogue.ts'
import type { Log } from './faults.ts'
import { redisBackends, speaksRedis } from './redis.ts'

export interface QueueSettings {
  /** The scheme chooses the backend: `postgres:`, `postgresql:`, or one that redis.ts knows. */
  url: string
  /** Before every key in Redis; the braces keep a queue in one slot of a cluster. PostgreSQL has a schema instead. */
  prefix?: string
  log: Log
}

export type Backend = BackendFactory<IQueueBackend, string>
type JobQueue = Queue<JobData, void, JobName, JobData, void, JobName, IQueueBackend, string>
type JobProcessor = Processor<JobData, void, JobName>

class JobWorker extends Worker<JobData, void, JobName, IQueueBackend, JobProgress, string> {
  /** Lets go of what could not be closed in time: the locks run out, and other processes find the jobs stalled. */
  async abandon(): Promise<void> {
    await Promise.allSettled([this.lockManager.close(), this.getBackend().disconnectBlocking(false)])
  }
}

/** The queues of one process, over connections that they share. */
export interface Queues {
  /** The publishing side; fails within seconds when the server is away. */
  queue(name: JobName): JobQueue
  /** The consuming side; waits for as long as the server is away. */
  worker(name: JobName, processor: JobProcessor, concurrency: number): JobWorker
  /** Resolves once the server answers; rejects after five seconds. */
  ready(): Promise<void>
  /** Frees the connections, at once. Close the workers first: they share them, and finish their jobs over them. */
  close(): Promise<void>
}

/** Whether a promise settled, either way, within so many milliseconds. */
export async function settles(promise: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, Math.max(milliseconds, 0), false)
  })
  const settled = promise.then(
    () => true,
    () => true,
  )
  return Promise.race([settled, late]).finally(() => clearTimeout(timer))
}

/**
 * Four connections for everything: one LISTEN shared by the workers, three for statements. BullMQ would open a pool
 * and a LISTEN for each queue and each worker; its backend takes a connection from outside, so all are given the same.
 * (Its `forQueue` shares too, but such a backend does not listen again after the connection broke.)
 */
function postgresBackends(url: string) {
  const connection = new SharedConnection({
    connectionString: url,
    max: 3,
    application_name: 'queue',
    connectionTimeoutMillis: 5_000,
    statement_timeout: 10_000,
    query_timeout: 12_000,
  })
  // Every queue and every worker listens to it, a known number of them; no leak to warn of.
  connection.setMaxListeners(0)
  const backend: Backend = (name, options) => new SharedBackend(connection, name, options)
  return { publishing: backend, consuming: backend, close: () => connection.close() }
}

type ListenClient = Awaited<ReturnType<PostgresConnection['getListenClient']>>

class SharedConnection extends PostgresConnection {
  private orderly: ListenClient | undefined

  /** Every backend sends its LISTEN when it likes; `pg` wants one statement at a time. */
  override async getListenClient(): Promise<ListenClient> {
    const client = await super.getListenClient()
    if (client === this.orderly) return client
    this.orderly = client
    const query = client.query.bind(client)
    let last: Promise<unknown> = Promise.resolve()
    client.query = <R>(text: string, values?: readonly unknown[]) => {
      const result = last.then(() => query<R>(text, values))
      last = result.catch(() => undefined)
      return result
    }
    return client
  }
}

/** Closes nothing: the first worker to finish would take the connection from the others. */
class SharedBackend extends PostgresQueueBackend {
  override async close(): Promise<void> {}
}

/** Opens the queues behind `url`; nothing is consumed until a worker is asked for. Throws on an unknown scheme. */
export function openQueues({ url, prefix = '{playtherapy}', log }: QueueSettings): Queues {
  let reportedAt = 0
  // An outage makes every connection complain, over and over; one line in five seconds says it all.
  const report = (error: Error) => {
    if (Date.now() - reportedAt < 5_000) return
    reportedAt = Date.now()
    log.warn({ err: error }, 'queue trouble')
  }
  const { protocol } = new URL(url)
  const isRedis = speaksRedis(protocol)
  if (!isRedis && protocol !== 'postgres:' && protocol !== 'postgresql:') {
    throw new Error(`A queue cannot be reached by ${protocol}`)
  }
  const backends = isRedis ? redisBackends(url, report) : postgresBackends(url)
  const queues = new Map<JobName, JobQueue>()
  const workers: JobWorker[] = []
  // BullMQ insists on a `connection`; our backends bring their own and only the scheme is left to tell.
  const common = { connection: protocol, prefix }
  const queue = (name: JobName) => {
    const known = queues.get(name)
    if (known) return known
    const fresh: JobQueue = new Queue(name, common, backends.publishing)
    fresh.on('error', report)
    queues.set(name, fresh)
    return fresh
  }
  return {
    queue,
    worker(name, processor, concurrency) {
      const worker = new JobWorker(name, processor, { ...common, ...workerOptions, concurrency }, backends.consuming)
      worker.on('error', report)
      workers.push(worker)
      return worker
    },
    async ready() {
      const all = Promise.all([...queues.values(), ...workers].map((each) => each.waitUntilReady()))
      if (!(await settles(all, 5_000))) throw new Error('The queue does not answer')
      await all
    },
    async close() {
      for (const worker of workers) worker.abandon()
      await backends.close()
    },
  }
}
