import { setTimeout } from 'node:timers/promises'
import type { JobName } from '@playtherapy/schema'
import { type IQueueBackend, type JobProgress, type Processor, Queue, Worker } from 'bullmq'
import { type JobData, workerOptions } from './catalogue.ts'
import type { Log } from './log.ts'
import { postgresBackends, speaksPostgres } from './postgres.ts'
import { redisBackends, speaksRedis } from './redis.ts'

export interface QueueSettings {
  /** Its scheme chooses the backend: one that postgres.ts or redis.ts knows. */
  url: string
  /** Prefix of every key in Redis; its braces keep a queue in one slot of a cluster. */
  prefix?: string
  log: Log
}

type JobQueue = Queue<JobData, void, JobName, JobData, void, JobName, IQueueBackend, string>
type JobProcessor = Processor<JobData, void, JobName>

class JobWorker extends Worker<JobData, void, JobName, IQueueBackend, JobProgress, string> {
  /** Drops running jobs: their locks expire, and other processes find them stalled. */
  async abandon(): Promise<void> {
    await Promise.allSettled([this.lockManager.close(), this.getBackend().disconnectBlocking(false)])
  }
}

/** For so long an error of a connection explains a failure. */
const explainsMs = 30_000
/** Longest wait for the servers of the queues. */
const readyMs = 5_000

/** The queues of a process, which share connections. */
export interface Queues {
  /** For publishing; fails within seconds while the server is down. */
  queue(name: JobName): JobQueue
  /** For consuming; waits while the server is down. */
  worker(name: JobName, processor: JobProcessor, concurrency: number): JobWorker
  /** Resolves once the server responds; rejects after five seconds. */
  ready(): Promise<void>
  /** The last error of a connection, if it is so young that it explains a failure of now. */
  lastError(): Error | undefined
  /** Closes the connections at once. Close the workers before, which need them to finish their jobs. */
  close(): Promise<void>
}

/** Whether a promise settles within so many milliseconds. */
export async function settles(promise: Promise<unknown>, milliseconds: number): Promise<boolean> {
  const over = new AbortController()
  const late = setTimeout(milliseconds, 'late', { signal: over.signal }).catch(() => 'late')
  const first = await Promise.race([Promise.allSettled([promise]), late])
  over.abort()
  return first !== 'late'
}

/** Opens the queues behind `url`. No job is consumed until `worker` is called. Throws on an unknown scheme. */
export function openQueues({ url, prefix = '{playtherapy}', log }: QueueSettings): Queues {
  let reportedAt = Number.NEGATIVE_INFINITY
  let last: { error: Error; at: number } | undefined
  const lastError = () => (last && performance.now() - last.at < explainsMs ? last.error : undefined)
  // In an outage every connection reports errors again and again; one line in five seconds is enough.
  const report = (error: Error) => {
    last = { error, at: performance.now() }
    if (performance.now() - reportedAt < 5_000) return
    reportedAt = performance.now()
    log.warn({ err: error }, 'the queue reported an error')
  }
  const { protocol } = new URL(url)
  if (!speaksRedis(protocol) && !speaksPostgres(protocol)) throw new Error(`A queue cannot be reached by ${protocol}`)
  const backends = speaksRedis(protocol) ? redisBackends(url, report) : postgresBackends(url)
  const queues = new Map<JobName, JobQueue>()
  const workers: JobWorker[] = []
  // BullMQ requires a `connection`. Our backends have their own, so this one is not used.
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
      if (!(await settles(all, readyMs))) throw new Error('the queue does not respond', { cause: lastError() })
      await all
    },
    lastError,
    async close() {
      for (const worker of workers) worker.abandon()
      await backends.close()
    },
  }
}
