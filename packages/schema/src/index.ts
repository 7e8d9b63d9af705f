export {
  type Action,
  type Actor,
  auditChange,
  auditEvents,
  auditExport,
  auditHandover,
  because,
  type Cause,
} from './audit.ts'
export { descriptionBytes, nameCharacters } from './bounds.ts'
export { checkDatabase } from './check.ts'
export { captionTime, clockTime } from './clock.ts'
export { type Database, type OpenDatabase, openDatabase, type Pool, type Transaction } from './database.ts'
export { deadLetters, failedJobs, retry } from './dead-letters.ts'
export * from './encode-tables.ts'
export { announceErasure, deleteRecordings, isRecording } from './erasure.ts'
export * from './export-tables.ts'
export { failures } from './failures.ts'
export { compose, fold } from './fold.ts'
export { TooManyStatementsError } from './heavy.ts'
export { type JobName, type JobPayloads, lastSweepSeconds } from './jobs.ts'
export { lockBeginnings, lockExportOf, lockExports, tryHoldOffSweeps, tryLock } from './locks.ts'
export * from './operations-tables.ts'
export { databaseCode, isOutage, outlastOutage } from './outage.ts'
export { announce, announceEach } from './outbox.ts'
export { type CaseOfCaller, ownCase, ownCases, ownSession, ownSessions, type SessionOfCaller } from './ownership.ts'
export { isBegun, newestRecording } from './recording-state.ts'
export { bytesOf, joinChunks, mostKbitsOf, type Part, type Segments } from './rungs.ts'
export { statement } from './statement.ts'
export * from './tables.ts'
export { tlsOf } from './tls.ts'
export * from './webhook-tables.ts'
