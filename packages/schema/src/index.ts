export { type Database, type OpenDatabase, openDatabase, type Transaction } from './database.ts'
export type { JobName, JobPayloads } from './jobs.ts'
export { announce } from './outbox.ts'
export * from './tables.ts'
