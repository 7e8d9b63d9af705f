export type { FailedHook, JobContext, JobHandler } from './consumer.ts'
export { type Log, PermanentError, PostponedError } from './faults.ts'
export { countJobs } from './ledger.ts'
export { createWorker, type JobHandlers, type RunningWorker, type WorkerSettings } from './worker.ts'
