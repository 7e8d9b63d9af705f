import { type Database, type JobName, type JobPayloads, outlastOutage } from '@playtherapy/schema'
import { DelayedError, type Job, UnrecoverableError, WaitingError } from 'bullmq'
import { catalogue, type JobData } from './catalogue.ts'
import type { Queues } from './connection.ts'
import { type Log, PermanentError, PostponedError } from './faults.ts'
import { buryJob, type Ledger, uncountTry } from './ledger.ts'

/** What a handler knows beside the payload. */
export interface JobContext {
  /** Fires when the process has to stop: end soon, whatever way; the job goes back and another process takes it. */
  signal: AbortSignal
  /** 1 on the first try; those that took down their process count. */
  attempt: number
  lastAttempt: boolean
  /** The request that announced the job. */
  requestId: string | null
  /** Names the job and its ids in every line. */
  log: Log
}

/** Returns when the work is done or is no longer wanted; throws otherwise. May run twice for one announcement. */
export type JobHandler<N extends JobName> = (payload: JobPayloads[N], context: JobContext) => Promise<void>

/**
 * Records that a job will not be tried again. `reason` is fit to be shown. Answers false when what the job was about is
 * gone, so that nobody needs to hear of it. May run twice.
 */
export type FailedHook<N extends JobName> = (payload: JobPayloads[N], reason: string) => Promise<boolean>

export interface ConsumerSettings<N extends JobName> {
  name: N
  queues: Queues
  /** Where the outbox is, which knows how often a job was tried and whether it has ended. */
  db: Database
  ledger: Ledger
  handler: JobHandler<N>
  onFailed: FailedHook<N> | undefined
  concurrency: number
  log: Log
}

export interface Consumer {
  /** Takes no more jobs; resolves when those at hand are finished or put back. */
  drain(): Promise<void>
  /** Fires the signal of every job at hand. */
  abort(): void
  /** Rejects when jobs have been waiting for a while that a free place here did not take. */
  check(): Promise<void>
}

/** The count of a try, once it was made: undefined where it was not, or failed. */
type Counted = Promise<number | undefined> | undefined

const gaveUp = 'It was tried several times without success.'
/** Pause before a job is repeated whose failure could not be recorded, in milliseconds. */
const unrecordedDelay = 30_000
/**
 * How long a first try lasts, in milliseconds, before it is counted, unless it fails: most are over by then, and need
 * no count. One that takes down its process sooner is counted from its second start on.
 */
const countedAfter = 50
/** Ends of jobs that may be on their way to the ledger before the next one is waited for. */
const mostEnding = 200
/** Longest time that a waiting job and a free place may coexist, in milliseconds. */
const idleLimit = 15_000

/** Runs the jobs of one name. */
export function consume<N extends JobName>(settings: ConsumerSettings<N>): Consumer {
  const { name, queues, db, ledger, handler, onFailed, concurrency, log } = settings
  const atHand = new Set<AbortController>()
  const ending = new Set<Promise<unknown>>()
  let draining = false
  let idleSince: number | undefined

  // Neither of these two uses up a try.
  const putBack = async (job: Job<JobData>, counted: Counted, token?: string) => {
    if (await counted) await uncountTry(db, job.data.outbox_id)
    await job.moveToWait(token)
    return new WaitingError()
  }
  const postpone = async (job: Job<JobData>, counted: Counted, delay: number, token?: string) => {
    if (await counted) await uncountTry(db, job.data.outbox_id)
    await job.moveToDelayed(Date.now() + delay, token)
    return new DelayedError()
  }

  /**
   * Has the ledger record that a job is done, and seldom waits for it: a record that is lost, with this process or the
   * database, only has the job announced again, and jobs are idempotent.
   */
  const recordEnd = async (outboxId: number, jobLog: Log) => {
    const recorded = outlastOutage(() => ledger.endJob(outboxId))
      .catch((error: unknown) => jobLog.warn({ err: error }, 'the end of a job could not be recorded'))
      .finally(() => ending.delete(recorded))
    ending.add(recorded)
    if (ending.size > mostEnding) await recorded
  }

  /** The end of a job that failed: recorded first where it is to be seen, then in the ledger. */
  const giveUp = async (payload: JobPayloads[N], outboxId: number, reason: string) => {
    const matters = (await onFailed?.(payload, reason)) ?? true
    await (matters ? buryJob(db, outboxId, reason) : ledger.endJob(outboxId))
  }

  const run = async (job: Job<JobData>, abort: AbortController, token?: string) => {
    if (draining) throw await putBack(job, undefined, token)
    const { payload, request_id: requestId, outbox_id: outboxId, first_attempt: first } = job.data
    if (!catalogue[name].isPayload(payload)) throw new UnrecoverableError('not a payload of this job')
    let counted: Counted
    const count = () => {
      // Without its count a try is made all the same: the database may be away, and the handler will know.
      counted ??= ledger.beginTry(outboxId).catch(() => undefined)
      return counted
    }
    const isFirst = job.attemptsStarted === 1 && first !== undefined
    const attempt = isFirst ? first : await ledger.beginTry(outboxId)
    // Done already, by a job that was announced twice.
    if (attempt === undefined) return
    if (!isFirst) counted = Promise.resolve(attempt)
    const lasting = setTimeout(count, countedAfter)
    const { attempts } = catalogue[name]
    const lastAttempt = attempt >= attempts
    const jobLog = log.child({ job: name, ...payload, attempt, ...(requestId && { request_id: requestId }) })
    const started = performance.now()
    try {
      if (attempt > attempts) throw new PermanentError(gaveUp)
      await handler(payload, { signal: abort.signal, attempt, lastAttempt, requestId, log: jobLog })
      clearTimeout(lasting)
      jobLog.info({ ms: Math.round(performance.now() - started) }, 'job done')
      // One after the other: both are about many rows, and could deadlock.
      await counted
      await recordEnd(outboxId, jobLog)
    } catch (error) {
      clearTimeout(lasting)
      if (abort.signal.aborted) throw await putBack(job, counted, token)
      if (error instanceof PostponedError) throw await postpone(job, counted, error.delayMs, token)
      await count()
      const permanent = error instanceof PermanentError
      jobLog.warn({ err: error }, permanent || lastAttempt ? 'job failed' : 'job will be tried again')
      // BullMQ keeps the message of what is thrown.
      if (!permanent && !lastAttempt) throw new Error(error instanceof Error ? error.name : typeof error)
      const reason = permanent ? error.message : gaveUp
      try {
        await giveUp(payload, outboxId, reason)
      } catch (hookError) {
        // A failure that nobody can see would strand what waits for the job; then rather do it again.
        jobLog.error({ err: hookError }, 'the failure of a job could not be recorded')
        throw await postpone(job, counted, unrecordedDelay, token)
      }
      throw new UnrecoverableError(reason)
    }
  }

  const worker = queues.worker(
    name,
    async (job, token) => {
      idleSince = undefined
      const abort = new AbortController()
      atHand.add(abort)
      await run(job, abort, token).finally(() => atHand.delete(abort))
    },
    concurrency,
  )

  // BullMQ gave up by itself: the job took down its process too many times, and no handler is asked.
  worker.on('failed', (job) => {
    if (!job?.deferredFailure || !catalogue[name].isPayload(job.data.payload)) return
    log.error({ job: name, ...job.data.payload }, 'job failed: its process died again and again')
    giveUp(job.data.payload, job.data.outbox_id, gaveUp).catch((error: unknown) => {
      log.error({ err: error }, 'the failure of a job could not be recorded')
    })
  })

  return {
    async drain() {
      draining = true
      await worker.close()
      await Promise.all(ending)
    },
    abort() {
      for (const abort of atHand) abort.abort()
    },
    async check() {
      const waiting = await queues.queue(name).getJobCountByTypes('waiting', 'prioritized')
      if (waiting === 0 || atHand.size >= concurrency) idleSince = undefined
      else idleSince ??= Date.now()
      if (idleSince && Date.now() - idleSince > idleLimit) throw new Error(`${name} jobs wait and none is taken`)
    },
  }
}
