import type { JobName, OpenDatabase } from '@playtherapy/schema'
import { catalogue, jobNames } from './catalogue.ts'
import { openQueues, settles } from './connection.ts'
import { type Consumer, consume, type FailedHook, type JobHandler, type MeasureAttempt } from './consumer.ts'
import { QueueError } from './errors.ts'
import { openLedger } from './ledger.ts'
import type { Log } from './log.ts'
import { startReconciler } from './reconciler.ts'
import { type Relay, startRelay } from './relay.ts'
import type { Background } from './repeat.ts'
import { waitingSeconds } from './waiting.ts'

export type JobHandlers = { [N in JobName]: JobHandler<N> }

export interface WorkerSettings {
  /** Its scheme chooses BullMQ's backend: one that postgres.ts or redis.ts knows. */
  queueUrl: string
  /** Prefix of every key in Redis; `{playtherapy}` by default. */
  prefix?: string
  /** Where the outbox is. */
  database: Pick<OpenDatabase, 'db' | 'sql'>
  /** One for each job of the catalogue. */
  handlers: JobHandlers
  /** Called when a job is given up: its last attempt failed, or the error is permanent. */
  onFailed?: { [N in JobName]?: FailedHook<N> }
  /** Jobs of each name that run at once in this process; by default the catalogue's number. */
  concurrency?: { [N in JobName]?: number }
  log: Log
  /** Says why something failed, without anything that operators must not read; it is stored with the job. */
  reasonOf: (error: unknown) => string
  /** Is told of each attempt that has ended, for metrics. */
  measure?: MeasureAttempt
}

export interface RunningWorker {
  /**
   * For readiness: rejects when the queue does not respond or accepts no jobs, or when jobs wait in several calls although
   * this process has room for them, because a worker can be connected and consume nothing.
   */
  checkQueue(): Promise<void>
  /** For readiness: rejects when the outbox could not be published because of the database. */
  checkOutbox(): Promise<void>
  /** For metrics: for how many seconds the oldest job of each name that waits for a worker has been due. `waiting.ts` says more. */
  waitingSeconds(): Promise<Map<JobName, number>>
  /**
   * Begins no more jobs and lets the running ones end. After half of `deadlineMs` (5,000 by default) their signals
   * fire; such jobs wait again, without losing an attempt. At the deadline it resolves in any case; another process finds
   * stalled jobs. Closes the queue's connections, but not the database.
   */
  close(deadlineMs?: number): Promise<void>
}

/** Throws at boot unless every job has a handler and every handler a job. */
function assertComplete(handlers: object): void {
  const given = Object.keys(handlers)
  const missing = jobNames.filter((name) => !given.includes(name))
  const unknown = given.filter((name) => !Object.hasOwn(catalogue, name))
  if (missing.length > 0) throw new Error(`No handler for: ${missing.join(', ')}`)
  if (unknown.length > 0) throw new Error(`No such job: ${unknown.join(', ')}`)
}

/**
 * Relays the outbox to BullMQ, runs the jobs, and announces lost ones again. Rejects if handlers and jobs do not match, or
 * if the queue or the database do not respond.
 */
export async function createWorker(settings: WorkerSettings): Promise<RunningWorker> {
  const {
    queueUrl,
    prefix,
    database,
    handlers,
    onFailed = {},
    concurrency = {},
    log,
    reasonOf,
    measure = () => {},
  } = settings
  assertComplete(handlers)
  const queues = openQueues({ url: queueUrl, log, ...(prefix && { prefix }) })
  const ledger = openLedger(database.db)
  let consumers: Consumer[]
  let relay: Relay
  let reconciler: Background
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
      reasonOf,
      measure,
    })
  try {
    // The queues are opened here, so that the process does not start without them.
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
    async checkQueue() {
      const failure = relay.failure()
      if (failure instanceof QueueError) throw failure
      await Promise.all(consumers.map((consumer) => consumer.check())).catch((error: unknown) => {
        throw new QueueError('the queue does not work', { cause: queues.lastError() ?? error })
      })
    },
    async checkOutbox() {
      const cause = relay.failure()
      if (cause && !(cause instanceof QueueError)) throw new Error('the outbox cannot be published', { cause })
    },
    waitingSeconds: () => waitingSeconds(database.db, queues),
    close(deadlineMs = 5_000) {
      closing ??= close(deadlineMs)
      return closing
    },
  }
}
