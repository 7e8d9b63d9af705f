import type { JobName, OpenDatabase } from '@playtherapy/schema'
import { catalogue, jobNames } from './catalogue.ts'
import { openQueues, settles } from './connection.ts'
import { type Consumer, consume, type FailedHook, type JobHandler } from './consumer.ts'
import type { Log } from './faults.ts'
import { openLedger } from './ledger.ts'
import { type Reconciler, startReconciler } from './reconciler.ts'
import { type Relay, startRelay } from './relay.ts'

export type JobHandlers = { [N in JobName]: JobHandler<N> }

export interface WorkerSettings {
  /** Its scheme chooses BullMQ's backend: `redis:`, `rediss:`, `postgres:` or `postgresql:`. */
  queueUrl: string
  /** Namespace in Redis; `{playtherapy}` by default. */
  prefix?: string
  /** Where the outbox is. */
  database: Pick<OpenDatabase, 'db' | 'sql'>
  /** One for every job there is, and no other. */
  handlers: JobHandlers
  /** Called once a job will not be tried again: its last try failed, or the fault is permanent. */
  onFailed?: { [N in JobName]?: FailedHook<N> }
  /** Jobs of a name at once in this process; the catalogue's number by default. */
  concurrency?: { [N in JobName]?: number }
  log: Log
}

export interface RunningWorker {
  /**
   * For readiness: rejects when the queue does not answer, the outbox cannot be published, or jobs wait that nobody
   * here takes. The last can only be seen by being asked again: a worker may be connected and asleep.
   */
  check(): Promise<void>
  /**
   * Takes no more jobs and lets those at hand end. Half-way through `deadlineMs` (5,000 by default) their signals fire;
   * such jobs go back to waiting with no try used up. At the deadline it resolves in any case: a job that ignores its
   * signal is found stalled by another process. Closes the queue's connections, not the database.
   */
  close(deadlineMs?: number): Promise<void>
}

/** Throws unless every job has a handler and every handler a job: found at boot, not when the job comes. */
function assertComplete(handlers: object): void {
  const given = Object.keys(handlers)
  const missing = jobNames.filter((name) => !given.includes(name))
  const unknown = given.filter((name) => !Object.hasOwn(catalogue, name))
  if (missing.length > 0) throw new Error(`No handler for: ${missing.join(', ')}`)
  if (unknown.length > 0) throw new Error(`No such job: ${unknown.join(', ')}`)
}

/**
 * Starts everything a worker process does: relays the outbox to BullMQ, runs the jobs, announces lost ones again. Rejects if handlers and jobs
 * do not match, or the queue or the database do not answer.
 */
export async function createWorker(settings: WorkerSettings): Promise<RunningWorker> {
  const { queueUrl, prefix, database, handlers, onFailed = {}, concurrency = {}, log } = settings
  assertComplete(handlers)
  const queues = openQueues({ url: queueUrl, log, ...(prefix && { prefix }) })
  const ledger = openLedger(database.db)
  let consumers: Consumer[]
  let relay: Relay
  let reconciler: Reconciler
  const consumeJob = <N extends JobName>(name: N) =>
    consume({
      name,
      queues,
      db: database.db,
      ledger,
      handler: handlers[name],
      onFailed: onFailed[name],
      concurrency: concurrency[name] ?? catalogue[name].concurrency,
      log,
    })
  try {
    // A queue that is away stops the boot here rather than in the first publication.
    for (const name of jobNames) queues.queue(name)
    await queues.ready()
    relay = await startRelay({ database, queues, log })
    reconciler = startReconciler({ db: database.db, queues, log })
    consumers = jobNames.map((name) => consumeJob(name))
  } catch (error) {
    await queues.close()
    throw error
  }

  const close = async (deadlineMs: number) => {
    const drained = Promise.allSettled([
      relay.close(),
      reconciler.close(),
      ...consumers.map((consumer) => consumer.drain()),
    ])
    if (!(await settles(drained, deadlineMs / 2))) {
      for (const consumer of consumers) consumer.abort()
      await settles(drained, deadlineMs / 2)
    }
    await queues.close()
  }
  let closing: Promise<void> | undefined

  return {
    async check() {
      if (!relay.working()) throw new Error('the outbox cannot be published')
      await Promise.all(consumers.map((consumer) => consumer.check()))
    },
    close(deadlineMs = 5_000) {
      closing ??= close(deadlineMs)
      return closing
    },
  }
}
