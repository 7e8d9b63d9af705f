import { type JobName, type JobPayloads, outbox } from '@playtherapy/schema'
import { Ajv } from 'ajv'
import { type Static, type TSchema, Type } from 'typebox'

/** What is known of a job before anybody runs it. */
interface JobDefinition<Payload> {
  /** Whether a payload read from the outbox or the queue is what the job carries. */
  isPayload(value: unknown): value is Payload
  /** Tries before the job counts as failed. A try that was only put back does not count. */
  attempts: number
  /** How many a process runs at once unless it says otherwise. */
  concurrency: number
}

const ajv = new Ajv({ strict: false, meta: false, validateSchema: false })

function define<S extends TSchema>(payload: S, attempts: number, concurrency: number): JobDefinition<Static<S>> {
  return { isPayload: ajv.compile<Static<S>>(payload), attempts, concurrency }
}

const id = Type.Integer({ minimum: 1 })
const exactly = { additionalProperties: false }

/**
 * Every job: the schema of its payload and its settings. A name in JobPayloads that is missing here does not compile.
 * Ten tries with the pauses below span about an hour and a half, so that an outage of the object store delays a job
 * and does not fail it. An encode takes all cores, hence one at a time.
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

/** What BullMQ keeps of a job: ids, the id of the request that caused it, and which try its first one is. */
export interface JobData {
  outbox_id: number
  payload: unknown
  request_id: string | null
  /** Missing in jobs of older releases. */
  first_attempt?: number
}

/** An outbox row as the relay reads it: nothing is known of its content yet. */
export interface Announcement {
  id: number
  name: string
  payload: unknown
  requestId: string | null
  attempts: number
}

/** What an announcement is read from. */
export const announcementColumns = {
  id: outbox.id,
  name: outbox.name,
  payload: outbox.payload,
  requestId: outbox.requestId,
  attempts: outbox.attempts,
}

/** Whether a job of this name and payload exists; false for a row written by a newer release, or by hand. */
export const isPublishable = (row: Announcement): row is Announcement & { name: JobName } =>
  isJobName(row.name) && catalogue[row.name].isPayload(row.payload)

/** Tries in BullMQ's own count, which nobody looks at: the outbox row counts, over restarts and a wiped queue too. */
const uncounted = 1_000

/** The largest number that BullMQ accepts as a priority. */
const lowestPriority = 2_097_152

/**
 * BullMQ's options of an announced job; `turn` as in turns.ts. The id comes from the outbox row: a row published twice, because the mark did
 * not commit, is one job, or runs twice, which does no harm. The pause doubles from
 * ten seconds, and half of it is random, so that jobs that failed together do not return together.
 */
export const jobOptions = (name: JobName, outboxId: number, turn?: number) => ({
  jobId: `${name}-${outboxId}`,
  ...(turn && { priority: Math.min(turn, lowestPriority) }),
  attempts: uncounted,
  backoff: { type: 'exponential', delay: 10_000, jitter: 0.5 },
  removeOnComplete: true,
  removeOnFail: { age: 7 * 86_400, count: 1_000 },
  stackTraceLimit: 0,
})

/**
 * How a dead worker's job is noticed: it holds a lock for 15 s and renews it, others look every 10 s. Dying with it
 * does not fail a job in BullMQ (`maxStalledCount`): the outbox row counts that try like any other.
 */
export const workerOptions = {
  lockDuration: 15_000,
  stalledInterval: 10_000,
  maxStalledCount: 50,
  runRetryDelay: 2_000,
}
