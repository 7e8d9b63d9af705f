import { errors } from './errors.ts'

/** Seconds after which a refused client should try again. */
const retryAfterSeconds = 5

/** How often a bound was the reason of a refusal: the share of one therapist, or what all may hold together. */
export interface Refusals {
  therapist: number
  process: number
}

/** A bound on what the requests of one process hold together, with a share of it for each therapist. */
export interface Shares {
  /** What one therapist may hold. */
  readonly share: number
  /** What all hold together now. */
  readonly held: number
  /** What was refused so far. */
  readonly refused: Readonly<Refusals>
  /** Whether nobody can take even one more. */
  readonly isFull: boolean
  /**
   * Takes `amount` for this therapist, 1 by default. Returns a function that gives it back; calling it again does
   * nothing. Throws `errors.tooManyRequests` (429) when the therapist would hold more than a share, unless it is all that the
   * therapist holds: one thing is possible for everybody, however large. Throws `errors.unavailable` (503) when all
   * therapists together would hold more than `most`.
   */
  take(userId: number, amount?: number): () => void
}

/**
 * A bound of `most` units (requests, connections, bytes) for a process. One therapist may hold one of `parts` parts of
 * them, a quarter by default, and at least one unit, so that nobody can take what the others need.
 */
export function createShares(most: number, parts = 4): Shares {
  const share = Math.max(1, Math.floor(most / parts))
  const holdings = new Map<number, number>()
  const refused: Refusals = { therapist: 0, process: 0 }
  let held = 0
  return {
    share,
    refused,
    get held() {
      return held
    },
    get isFull() {
      return held + 1 > most
    },
    take(userId, amount = 1) {
      const before = holdings.get(userId) ?? 0
      if (before > 0 && before + amount > share) {
        refused.therapist += 1
        throw errors.tooManyRequests(retryAfterSeconds)
      }
      if (held + amount > most) {
        refused.process += 1
        throw errors.unavailable()
      }
      holdings.set(userId, before + amount)
      held += amount
      let returned = false
      return () => {
        if (returned) return
        returned = true
        held -= amount
        const after = (holdings.get(userId) ?? 0) - amount
        if (after > 0) holdings.set(userId, after)
        else holdings.delete(userId)
      }
    },
  }
}
