import { type ApiError, errors, fault } from './errors.ts'

/** The SQLSTATE, or the driver's own code, of a database error; drizzle wraps the original as `cause`. */
export function databaseCode(error: unknown): string | undefined {
  // Five deep: a chain of causes may run in a circle.
  for (let current = error, depth = 0; current instanceof Error && depth < 5; current = current.cause, depth++) {
    if ('code' in current && typeof current.code === 'string') return current.code
  }
  return undefined
}

/** The driver could not reach the server, or lost it. */
const lostConnection = new Set([
  'CONNECT_TIMEOUT',
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'CONNECTION_ENDED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
])

/**
 * What a database error means to a caller, or undefined when it is a fault of ours. The one place that reads SQLSTATEs
 * (PostgreSQL manual, appendix A).
 */
export function fromDatabaseError(error: unknown): ApiError | undefined {
  const code = databaseCode(error)
  if (!code) return undefined
  // 08 connection, 53 resources, 57 shut down, cancelled or timed out, 40 serialisation and deadlock, 55P03 lock
  if (lostConnection.has(code) || /^(08|53|57P0|40)|^57014$|^55P03$/.test(code)) return errors.unavailable()
  // Text PostgreSQL cannot hold (NUL, lone surrogates) or numbers out of range that no schema caught.
  if (/^(22021|22P05|22003|22P02)$/.test(code)) return fault(['body'], 'a value cannot be stored')
  return undefined
}
