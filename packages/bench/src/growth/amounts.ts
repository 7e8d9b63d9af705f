/** How much there is of what grows. */
export interface Amounts {
  /** Therapists with 50 cases each, of 20 sessions each. */
  therapists: number
  /** Cases of therapist 1, who has very many, of 20 sessions each. */
  casesOfOne: number
  /** Events of the audit trail, over this many months that are kept. */
  events: number
  months: number
  /** Deletions that have a receipt. */
  erasures: number
  /** Rows that are there for a day or so: keys of requests, changes of sessions, jobs of later, webhooks. */
  daily: number
}

/** Cases of a therapist, and sessions of a case. */
export const casesEach = 50
export const sessionsEach = 20
/** The therapist who has very many cases. */
export const busiest = 1

export const small: Amounts = { therapists: 20, casesOfOne: 0, events: 100_000, months: 1, erasures: 100, daily: 100 }
/**
 * Two million sessions and ten million events, over the six years for which the trail is kept. One therapist has a tenth of all
 * cases.
 */
export const big: Amounts = {
  therapists: 1_800,
  casesOfOne: 10_000,
  events: 10_000_000,
  months: 72,
  erasures: 100_000,
  daily: 100_000,
}

/** A moment of the last years for the n-th row of so many, so that ids and moments rise together. */
export const momentOf = (n: string, count: number, months: number) =>
  `now() - make_interval(days => ${months} * 30) * (1 - (${n})::float8 / ${count})`
