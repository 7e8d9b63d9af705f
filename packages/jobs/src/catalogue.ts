import { type JobName, type JobPayloads, outbox } from '@playtherapy/schema'
import { Ajv } from 'ajv'
import { type Static, type TSchema, Type } from 'typebox'

/** The settings of a job. */
interface JobDefinition<Payload> {
  /** Whether a payload read from the outbox or the queue is what the job carries. */
  isPayload(value: unknown): value is Payload
  /** Attempts before the job is given up. An attempt that was only put back does not count. */
  attempts: number
  /** How many a process runs at once by default. */
  concurrency: number
}

const ajv = new Ajv({ strict: false, meta: false, validateSchema: false })

function define<S extends TSchema>(payload: S, attempts: number, concurrency: number): JobDefinition<Static<S>> {
  return { isPayload: ajv.compile<Static<S>>(payload), attempts, concurrency }
}

const id = Type.Integer({ minimum: 1 })
const exactly = { additionalProperties: false }

/**
 * Every job: the schema of its payload, its attempts, its concurrency. The compiler finds a name of JobPayloads that is
 * missing here. Ten attempts with the pauses below span about an hour and a half, so that an outage of the object store
 * delays a job and does not fail it. An encode uses all cores, so one process runs one at a time.
 */
export const catalogue: { [N in JobName]: JobDefinition<JobPayloads[N]> } = {
  'encode-video': define(Type.Object({ video_id: id }, exactly), 10, 1),
  'transcribe-video': define(Type.Object({ video_id: id }, exactly), 5, 1),
  'analyse-script': define(Type.Object({ script_version_id: id }, exactly), 5, 2),
  'delete-superseded': define(Type.Object({ session_id: id }, exactly), 10, 2),
  'sweep-presigned': define(Type.Object({ video_id: id }, exactly), 10, 2),
  erase: define(Type.Object({ erasure_id: id }, exactly), 10, 2),
}

const isJobName = (name: string): name is JobName => Object.hasOwn(catalogue, name)

export const jobNames = Object.keys(catalogue).filter(isJobName)

/** What BullMQ stores of a job: ids, the id of the request that caused it, and the number of its first attempt. */
export interface JobData {
  outbox_id: number
  payload: unknown
  request_id: string | null
  /** Missing in jobs of older releases. */
  first_attempt?: number
}

/** An outbox row as the relay reads it. Its content is not checked yet. */
export interface Announcement {
  id: number
  name: string
  payload: unknown
  requestId: string | null
  attempts: number
}

/** The columns of an announcement. */
export const announcementColumns = {
  id: outbox.id,
  name: outbox.name,
  payload: outbox.payload,
  requestId: outbox.requestId,
  attempts: outbox.attempts,
}

/** Whether the catalogue has this job and payload; false for a row written by a newer release, or by hand. */
export const isPublishable = (row: Announcement): row is Announcement & { name: JobName } =>
  isJobName(row.name) && catalogue[row.name].isPayload(row.payload)

/** BullMQ's own limit of attempts, which is never reached: the outbox row counts them, also when Redis lost its data. */
const unlimitedAttempts = 1_000

/** The largest number that BullMQ accepts as a priority. */
const lowestPriority = 2_097_152

/**
 * BullMQ's options of an announced job; `turn` comes from turns.ts. The job's id is made from the outbox row's, so that a
 * row that is published twice, because the first transaction did not commit, is one job. (Should it run twice, it does
 * no harm.) The pause doubles from ten seconds, and half of it is random, so that jobs that failed together do not
 * return together.
 */
export const jobOptions = (name: JobName, outboxId: number, turn?: number) => ({
  jobId: `${name}-${outboxId}`,
  ...(turn && { priority: Math.min(turn, lowestPriority) }),
  attempts: unlimitedAttempts,
  backoff: { type: 'exponential', delay: 10_000, jitter: 0.5 },
  removeOnComplete: true,
  removeOnFail: { age: 7 * 86_400, count: 1_000 },
  stackTraceLimit: 0,
})

/**
 * How a dead worker's job is noticed: a worker locks its job for 15 s and renews the lock; the others look every 10 s for
 * locks that ran out. BullMQ does not fail such a job (`maxStalledCount`): the outbox row counts that attempt like any
 * other.
 */
export const workerOptions = {
  lockDuration: 15_000,
  stalledInterval: 10_000,
  maxStalledCount: 50,
  runRetryDelay: 2_000,
}
