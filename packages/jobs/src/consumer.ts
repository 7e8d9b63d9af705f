import { type Database, failures, type JobName, type JobPayloads, outlastOutage } from '@playtherapy/schema'
import { type Attributes, beginTrace, failureOf, type OpenSpan } from '@playtherapy/tracing'
import { DelayedError, type Job, UnrecoverableError, WaitingError } from 'bullmq'
import { type Attempt, beginAttempt } from './attempt.ts'
import { catalogue, type JobData, longestPauseMs } from './catalogue.ts'
import type { Queues } from './connection.ts'
import { PermanentError, PostponedError } from './errors.ts'
import { buryJob, type DeadLetter, type Ledger, pauseJob } from './ledger.ts'
import type { Log } from './log.ts'

export interface JobContext {
  /** Fires when the process must stop: return or throw soon, so that another process runs the job. */
  signal: AbortSignal
  /** From 1; attempts that ended with their process count too. */
  attempt: number
  lastAttempt: boolean
  /** The request that announced the job. */
  requestId: string | null
  /** Every line has the job's name and ids. */
  log: Log
}

/** Returns when the work is done or no longer needed; throws otherwise. It may run twice for one announcement. */
export type JobHandler<N extends JobName> = (payload: JobPayloads[N], context: JobContext) => Promise<void>

/**
 * Records that a job was given up. `reason` may be shown to the therapist. Returns false when the job's subject was deleted
 * or replaced, so that no dead letter is needed. It may run twice.
 */
export type FailedHook<N extends JobName> = (payload: JobPayloads[N], reason: string) => Promise<boolean>

/**
 * How an attempt at a job ended: it was given up because of us, or `refused` because of its input; `put_back` at a stop of the process.
 * The last two do not count as attempts.
 */
export const attemptEnds = ['done', 'failed', 'given_up', 'refused', 'postponed', 'put_back'] as const
export type AttemptEnd = (typeof attemptEnds)[number]

/** Called when an attempt at a job has ended, with the seconds that it took, and its error. */
export type MeasureAttempt = (name: JobName, end: AttemptEnd, seconds: number, error: unknown) => void

export interface ConsumerSettings<N extends JobName> {
  name: N
  queues: Queues
  /** The database of the outbox. */
  db: Database
  ledger: Ledger
  handler: JobHandler<N>
  onFailed: FailedHook<N> | undefined
  concurrency: number
  log: Log
  reasonOf: (error: unknown) => string
  measure: MeasureAttempt
}

export interface Consumer {
  /** Begins no more jobs; resolves when the running ones are finished or put back. */
  drain(): Promise<void>
  /** Fires the signal of every running job. */
  abort(): void
  /** Rejects when jobs have waited for `idleMs` although this process had room for them. */
  check(): Promise<void>
}

interface Failed<Payload> {
  payload: Payload
  job: Job<JobData>
  counted: Attempt
  isLast: boolean
  jobLog: Log
  token: string | undefined
}

const gaveUp = failures.given_up
/** Pause before the retry of a job whose failure could not be recorded. */
const unrecordedMs = 30_000
/** Most ended jobs that are being recorded; a job that ends beyond them waits. */
const mostEnding = 200
/** Longest time that a job may wait while this process has room for it. */
const idleMs = 15_000

/** The ids of a job, for its span. */
const idsOf = (outboxId: number, payload: Record<string, number>): Attributes =>
  Object.fromEntries(Object.entries({ outbox_id: outboxId, ...payload }).map(([id, of]) => [`playtherapy.${id}`, of]))

/** Runs the jobs of one name. */
export function consume<N extends JobName>(settings: ConsumerSettings<N>): Consumer {
  const { name, queues, db, ledger, handler, onFailed, concurrency, log, reasonOf, measure } = settings
  const running = new Set<AbortController>()
  const ending = new Set<Promise<unknown>>()
  let draining = false
  let idleSince: number | undefined

  /** Only metrics need it, so that an outage of the database stops nothing here. */
  const notePause = (job: Job<JobData>, pauseMs: number) =>
    pauseJob(db, job.data.outbox_id, pauseMs).catch(() => undefined)

  // Neither of these two uses up an attempt.
  const putBack = async (job: Job<JobData>, counted: Attempt | undefined, token?: string) => {
    await counted?.uncount()
    await job.moveToWait(token)
    return new WaitingError()
  }
  const postpone = async (job: Job<JobData>, counted: Attempt, delayMs: number, token?: string) => {
    await counted.uncount()
    await notePause(job, delayMs)
    await job.moveToDelayed(Date.now() + delayMs, token)
    return new DelayedError()
  }

  /** Records that a job is done, usually without a wait. If that is lost, the idempotent job is announced again. */
  const recordEnd = async (outboxId: number, jobLog: Log) => {
    const recorded = outlastOutage(() => ledger.endJob(outboxId))
      .catch((error: unknown) => jobLog.warn({ err: error }, 'the end of a job could not be recorded'))
      .finally(() => ending.delete(recorded))
    ending.add(recorded)
    if (ending.size > mostEnding) await recorded
  }

  /** Ends a failed job, first where the therapist sees it, then in the ledger, where operators see more. */
  const giveUp = async (payload: JobPayloads[N], outboxId: number, reason: string, death: DeadLetter) => {
    const isNeeded = (await onFailed?.(payload, reason)) ?? true
    await (isNeeded ? buryJob(db, outboxId, death) : ledger.endJob(outboxId))
  }

  /** Ends a failed attempt. Returns the error to throw, by which BullMQ retries the job or not. */
  const fail = async (error: unknown, { payload, job, counted, isLast, jobLog, token }: Failed<JobPayloads[N]>) => {
    const isPermanent = error instanceof PermanentError
    const isRefused = isPermanent && error.fault === 'input'
    if (isRefused) jobLog.warn({ err: error }, 'job refused because of its input')
    else if (isPermanent || isLast) jobLog.error({ err: error }, 'job failed')
    else jobLog.warn({ err: error }, 'job will be retried')
    // BullMQ stores the message of what is thrown.
    if (!isPermanent && !isLast) {
      await notePause(job, longestPauseMs(job.attemptsMade))
      return new Error(reasonOf(error))
    }
    const reason = isPermanent ? error.message : gaveUp
    const failure = isPermanent ? reason : `${reason} ${reasonOf(error)}`
    try {
      await giveUp(payload, job.data.outbox_id, reason, { failure, isRefused })
    } catch (hookError) {
      // Without a recorded failure its video or session would wait for ever, so the job is retried.
      jobLog.error({ err: hookError }, 'the failure of a job could not be recorded')
      return postpone(job, counted, unrecordedMs, token)
    }
    return new UnrecoverableError(failure)
  }

  const run = async (job: Job<JobData>, abort: AbortController, token?: string) => {
    if (draining) throw await putBack(job, undefined, token)
    const { payload } = job.data
    if (!catalogue[name].isPayload(payload)) throw new UnrecoverableError('not a payload of this job')
    const about = { name: `job ${name}`, kind: 'consumer', attributes: idsOf(job.data.outbox_id, payload) } as const
    const span = beginTrace(about, job.data.traceparent)
    const attempt = () => runAttempt(job, payload, abort, span, token)
    await (span ? span.within(attempt).finally(() => span.end()) : attempt())
  }

  const runAttempt = async (
    job: Job<JobData>,
    payload: JobPayloads[N],
    { signal }: AbortController,
    span: OpenSpan | undefined,
    token?: string,
  ) => {
    const { request_id: requestId, outbox_id: outboxId } = job.data
    const counted = await beginAttempt(job, db, ledger)
    if (!counted) return
    const { attempt } = counted
    const isLast = attempt >= catalogue[name].attempts
    const jobLog = log.child({
      job: name,
      ...payload,
      attempt,
      ...(requestId && { request_id: requestId }),
      ...(span?.isRecorded && { trace_id: span.traceId }),
    })
    const started = performance.now()
    const end = (how: AttemptEnd, error?: unknown) => {
      measure(name, how, (performance.now() - started) / 1000, error)
      span?.note({ 'playtherapy.attempt': attempt, 'playtherapy.outcome': how })
      if (how === 'failed' || how === 'given_up') span?.end(failureOf(error))
    }
    try {
      if (attempt > catalogue[name].attempts) throw new PermanentError(gaveUp, { fault: 'ours' })
      await handler(payload, { signal, attempt, lastAttempt: isLast, requestId, log: jobLog })
      jobLog.info({ ms: Math.round(performance.now() - started) }, 'job done')
      end('done')
    } catch (error) {
      const isGivenUp = isLast || error instanceof PermanentError
      const isRefused = error instanceof PermanentError && error.fault === 'input'
      if (signal.aborted) {
        end('put_back')
        throw await putBack(job, counted, token)
      }
      if (error instanceof PostponedError) {
        end('postponed')
        throw await postpone(job, counted, error.delayMs, token)
      }
      end(isRefused ? 'refused' : isGivenUp ? 'given_up' : 'failed', error)
      await counted.count()
      throw await fail(error, { payload, job, counted, isLast, jobLog, token })
    } finally {
      // The count ends before the job does: both statements update many rows, and could deadlock.
      await counted.settle()
    }
    await recordEnd(outboxId, jobLog)
  }

  const worker = queues.worker(
    name,
    async (job, token) => {
      idleSince = undefined
      const abort = new AbortController()
      running.add(abort)
      await run(job, abort, token).finally(() => running.delete(abort))
    },
    concurrency,
  )

  // BullMQ gave up without calling the handler, because the job ended its process too many times.
  worker.on('failed', (job) => {
    if (!job?.deferredFailure || !catalogue[name].isPayload(job.data.payload)) return
    log.error({ job: name, ...job.data.payload }, 'job failed: its process died again and again')
    const death = { failure: `${gaveUp} Its process died each time.`, isRefused: false }
    giveUp(job.data.payload, job.data.outbox_id, gaveUp, death).catch((error: unknown) => {
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
      for (const abort of running) abort.abort()
    },
    async check() {
      const waiting = await queues.queue(name).getJobCountByTypes('waiting', 'prioritized')
      if (waiting === 0 || running.size >= concurrency) idleSince = undefined
      else idleSince ??= performance.now()
      if (idleSince !== undefined && performance.now() - idleSince > idleMs)
        throw new Error(`${name} jobs wait and none starts`)
    },
  }
}
