import type { FastifyBaseLogger } from 'fastify'
import { errors } from './errors.ts'
import { reasonOf } from './loggable.ts'
import { fetchKeys, type KeyHints, type Prepare, type PublishedKeys } from './published-keys.ts'

/** Times of a key set, in milliseconds. */
export interface KeySetTimes {
  /** How long the key server may take for its whole answer. */
  fetchMs: number
  /** The shortest time between two fetches that requests cause, and the pause after a fetch that failed. */
  cooldownMs: number
  /** The time between two fetches that nobody causes. A key that is withdrawn ends within it. */
  refreshMs: number
  /** How long the keys are used after the last fetch that succeeded. */
  keepMs: number
}

const usualTimes: KeySetTimes = { fetchMs: 5_000, cooldownMs: 10_000, refreshMs: 300_000, keepMs: 3_600_000 }

/** The public keys of a sign-in service, as it has published them at the last fetch. */
export interface KeySet<Key> {
  /**
   * Returns the keys that fit a token; none if none does, not even after another fetch. Throws `errors.unavailable` (503)
   * while no key is known, and if none fits while the key server cannot be asked.
   */
  find(hints: KeyHints): Promise<Key[]>
  /** Fetches the keys once more, unless a request caused that a moment ago. Returns whether they were fetched. */
  renew(): Promise<boolean>
  /** Seconds since the last fetch that succeeded began; undefined before the first one. */
  ageSeconds(): number | undefined
  /** Rejects while no key is known. */
  check(): Promise<void>
  /** Ends the fetches. */
  close(): void
}

export interface KeySetOptions<Key> {
  url: string
  prepare: Prepare<Key>
  log: FastifyBaseLogger
  /** Shorter times for tests. */
  times?: Partial<KeySetTimes> | undefined
}

/** How many requests may wait for a fetch; others get 503. */
const mostWaiting = 200

/**
 * Fetches the keys at once, and from then on by itself, so that a token of a known key waits for no fetch. The
 * `createRemoteJWKSet` of jose would not do: all requests wait for its fetch when its keys are ten minutes old, no
 * cooldown follows a fetch that failed, and no answer is too large for it.
 */
export function createKeySet<Key>({ url, prepare, log, times }: KeySetOptions<Key>): KeySet<Key> {
  const { fetchMs, cooldownMs, refreshMs, keepMs } = { ...usualTimes, ...times }
  const closing = new AbortController()
  let keys: PublishedKeys<Key> | undefined
  let readAt = 0
  let causedAt = Number.NEGATIVE_INFINITY
  let failure: string | undefined
  let loading: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let waiting = 0

  const known = () => (keys && performance.now() - readAt < keepMs ? keys : undefined)
  const read = async () => {
    const begunAt = performance.now()
    const before = { failure, count: keys?.count }
    try {
      keys = await fetchKeys(url, prepare, AbortSignal.any([AbortSignal.timeout(fetchMs), closing.signal]))
      readAt = begunAt
      failure = undefined
      if (before.failure || before.count !== keys.count) log.info({ keys: keys.count }, 'the keys of tokens are read')
    } catch (error) {
      failure = reasonOf(error)
      if (before.failure !== failure) log.warn({ err: error }, 'the keys of tokens cannot be read')
    }
  }
  const load = () => {
    clearTimeout(timer)
    loading ??= read().finally(() => {
      loading = undefined
      if (!closing.signal.aborted) timer = setTimeout(load, failure ? cooldownMs : refreshMs).unref()
    })
    return loading
  }
  const renew = async () => {
    if (!loading && performance.now() - causedAt < cooldownMs) return false
    if (waiting >= mostWaiting) throw errors.unavailable()
    if (!loading) causedAt = performance.now()
    waiting++
    await load()
    waiting--
    return failure === undefined
  }
  load()
  return {
    async find(hints) {
      const found = await known()?.find(hints)
      if (found && found.length > 0) return found
      await renew()
      const renewed = await known()?.find(hints)
      if (!renewed || (renewed.length === 0 && failure)) throw errors.unavailable()
      return renewed
    },
    renew,
    ageSeconds: () => keys && (performance.now() - readAt) / 1000,
    async check() {
      if (!known()) throw new Error(failure ?? 'no key is known')
    },
    close() {
      clearTimeout(timer)
      closing.abort()
    },
  }
}
