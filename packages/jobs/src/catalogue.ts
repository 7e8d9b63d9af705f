import { type JobName, type JobPayloads, outbox } from '@playtherapy/schema'
import { Ajv } from 'ajv'
import { type Static, type TSchema, Type } from 'typebox'

interface JobDefinition<Payload> {
  /** Checks a payload from the outbox or the queue. */
  isPayload(value: unknown): value is Payload
  /** Attempts before the job is given up; one that was put back does not count. */
  attempts: number
  /** Jobs that a process runs at once by default. */
  concurrency: number
}

const ajv = new Ajv({ strict: false, meta: false, validateSchema: false })

function define<S extends TSchema>(payload: S, attempts: number, concurrency: number): JobDefinition<Static<S>> {
  return { isPayload: ajv.compile<Static<S>>(payload), attempts, concurrency }
}

const id = Type.Integer({ minimum: 1 })
const exactly = { additionalProperties: false }

/**
 * The payload, attempts and concurrency of every job. Ten attempts with the pauses below span about an hour and a half, so
 * that an outage of the object store delays a job and does not fail it. A process runs one encode at a time, because it
 * uses all cores.
 */
export const catalogue: { [N in JobName]: JobDefinition<JobPayloads[N]> } = {
  'encode-video': define(Type.Object({ video_id: id }, exactly), 10, 1),
  'encode-chunk': define(Type.Object({ video_id: id, chunk_id: id }, exactly), 10, 1),
  'finish-video': define(Type.Object({ video_id: id }, exactly), 10, 1),
  'transcribe-video': define(Type.Object({ video_id: id }, exactly), 5, 1),
  'analyse-script': define(Type.Object({ script_version_id: id }, exactly), 5, 2),
  'delete-superseded': define(Type.Object({ session_id: id }, exactly), 10, 2),
  'sweep-presigned': define(Type.Object({ video_id: id }, exactly), 10, 2),
  erase: define(Type.Object({ erasure_id: id }, exactly), 10, 2),
  'erase-video': define(Type.Object({ erasure_id: id }, exactly), 10, 2),
  'export-case': define(Type.Object({ export_id: id }, exactly), 5, 1),
  'send-webhook': define(Type.Object({ user_id: id, case_id: id, session_id: id }, exactly), 10, 2),
}

const isJobName = (name: string): name is JobName => Object.hasOwn(catalogue, name)

export const jobNames = Object.keys(catalogue).filter(isJobName)

/** The data of a job in BullMQ. */
export interface JobData {
  outbox_id: number
  payload: unknown
  request_id: string | null
  /** The trace that it continues; missing in jobs of older releases. */
  traceparent?: string | null
  /** Number of its first attempt; missing in jobs of older releases. */
  first_attempt?: number
}

/** An outbox row whose content was not checked. */
export interface OutboxRow {
  id: number
  name: string
  payload: unknown
  requestId: string | null
  traceparent: string | null
  attempts: number
}

export const outboxColumns = {
  id: outbox.id,
  name: outbox.name,
  payload: outbox.payload,
  requestId: outbox.requestId,
  traceparent: outbox.traceparent,
  attempts: outbox.attempts,
}

/** Whether the catalogue has this job and payload; false for a row of a newer release. */
export const isPublishable = (row: OutboxRow): row is OutboxRow & { name: JobName } =>
  isJobName(row.name) && catalogue[row.name].isPayload(row.payload)

/** BullMQ's own limit, which is never reached: the outbox row counts attempts, even if Redis loses its data. */
const unlimitedAttempts = 1_000

/** Failed jobs of one name that the queue keeps. Operators see those of the outbox. */
export const mostFailed = 100

/** The largest number that BullMQ accepts as a priority. */
const lowestPriority = 2_097_152

/** The longest pause after the first failure of a job, and the part of it that is random. */
const backoff = { type: 'exponential', delay: 10_000, jitter: 0.5 }

/** The longest pause that BullMQ makes after a failure; `failures` are those before, in the queue's count. */
export const longestPauseMs = (failures: number) => backoff.delay * 2 ** failures

/**
 * BullMQ's options of an announced job; `turn` comes from turns.ts. The job's id contains that of the outbox row, so that a
 * row that is published twice, because the first transaction did not commit, is one job. The pause doubles from ten
 * seconds, and half of it is random, so that jobs that failed together are not retried together.
 */
export const jobOptions = (name: JobName, outboxId: number, turn?: number) => ({
  jobId: `${name}-${outboxId}`,
  ...(turn && { priority: Math.min(turn, lowestPriority) }),
  attempts: unlimitedAttempts,
  backoff,
  removeOnComplete: true,
  removeOnFail: { age: 7 * 86_400, count: mostFailed },
  stackTraceLimit: 0,
})

/**
 * How the job of a dead worker is found: a worker locks its job for 15 s and renews the lock; the others look every 10 s for
 * expired locks. `maxStalledCount` is high, because the outbox row counts such attempts too.
 */
export const workerOptions = {
  lockDuration: 15_000,
  stalledInterval: 10_000,
  maxStalledCount: 50,
  runRetryDelay: 2_000,
}
