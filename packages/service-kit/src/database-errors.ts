import { databaseCode, isOutage, TooManyStatementsError } from '@playtherapy/schema'
import { type ApiError, errors, fault } from './errors.ts'

/** Seconds after which a therapist with too many heavy statements may try again. */
const retryAfterSeconds = 5

/** The API error that a database error stands for; undefined if it is a fault of ours. */
export function fromDatabaseError(error: unknown): ApiError | undefined {
  if (error instanceof TooManyStatementsError) return errors.tooManyRequests(retryAfterSeconds)
  if (isOutage(error)) return errors.unavailable()
  // PostgreSQL cannot store the text (NUL, lone surrogates), or a number is out of range and no schema found it.
  if (/^(22021|22P05|22003|22P02)$/.test(databaseCode(error) ?? '')) return fault(['body'], 'a value cannot be stored')
  return undefined
}
