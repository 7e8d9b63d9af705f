import { setTimeout as sleep } from 'node:timers/promises'

/** The SQLSTATE, or the driver's own code, of a database error; drizzle wraps the original as `cause`. */
export function databaseCode(error: unknown): string | undefined {
  // Five levels, because a chain of causes may be circular.
  for (let current = error, depth = 0; current instanceof Error && depth < 5; current = current.cause, depth++) {
    if ('code' in current && typeof current.code === 'string') return current.code
  }
  return undefined
}

/** Codes of the driver for a server that it cannot reach, or has lost. */
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
 * Whether a retry may succeed: 08 connection, 53 resources, 57 shut down, cancelled or timed out, 40 serialisation and
 * deadlock, 55P03 lock (PostgreSQL manual, appendix A).
 */
export function isOutage(error: unknown): boolean {
  const code = databaseCode(error)
  return code !== undefined && (lostConnection.has(code) || /^(08|53|57P0|40)|^57014$|^55P03$/.test(code))
}

/** Longest time of the retries: a restart of the database takes seconds. */
const outageMs = 30_000

/**
 * Retries a transaction, or one statement, while the database is down, because hours of upload may depend on it. `repeated`
 * says that an earlier attempt may have been committed although its response was lost.
 */
export async function outlastOutage<T>(work: () => Promise<T>): Promise<{ result: T; repeated: boolean }> {
  const end = performance.now() + outageMs
  for (let repeated = false; ; repeated = true) {
    try {
      return { result: await work(), repeated }
    } catch (error) {
      if (!isOutage(error) || performance.now() > end) throw error
      await sleep(250 + Math.random() * 750)
    }
  }
}
