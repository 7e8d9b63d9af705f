import { databaseCode, isOutage, TooManyStatementsError } from '@playtherapy/schema'
import { type ApiError, errors, fault } from './errors.ts'

/** Seconds after which a therapist with too many heavy statements is asked to come again. */
const retryAfterSeconds = 5

/** What a database error means to a caller, or undefined when it is a fault of ours. */
export function fromDatabaseError(error: unknown): ApiError | undefined {
  if (error instanceof TooManyStatementsError) return errors.tooManyRequests(retryAfterSeconds)
  if (isOutage(error)) return errors.unavailable()
  // Text PostgreSQL cannot hold (NUL, lone surrogates) or numbers out of range that no schema caught.
  if (/^(22021|22P05|22003|22P02)$/.test(databaseCode(error) ?? '')) return fault(['body'], 'a value cannot be stored')
  return undefined
}
