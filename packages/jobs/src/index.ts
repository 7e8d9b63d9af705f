export { jobNames } from './catalogue.ts'
export { checkQueue } from './check.ts'
export {
  type AttemptEnd,
  attemptEnds,
  type FailedHook,
  type JobContext,
  type JobHandler,
  type MeasureAttempt,
} from './consumer.ts'
export { PermanentError, PostponedError } from './errors.ts'
export { countJobs } from './ledger.ts'
export type { Log } from './log.ts'
export { type Background, repeat } from './repeat.ts'
export { turnsOf } from './turns.ts'
export { createWorker, type JobHandlers, type RunningWorker, type WorkerSettings } from './worker.ts'
