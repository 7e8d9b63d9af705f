/** A result that is loaded again when it is asked for and too old. */
export interface Renewed<T> {
  get(): Promise<T>
  /** The next `get` loads again. */
  forget(): void
}

/** A failure that came at once is kept for so long. */
const failureMs = 1_000

/** How a result is renewed that takes long to load. */
interface Slow {
  /** What is kept is given out while it is loaded anew. */
  servesOld: boolean
  /** For how many times as long as it took a result is kept. */
  times: number
}

/**
 * Keeps what `load` resolves with for `leastMs`, and for nine times as long as it took: so many who ask cost no more than one, and
 * never more than a tenth of a connection. All who ask while it loads get the same result. A failure is kept for a second, and for nine
 * times as long as it took, too: a statement that takes too long would otherwise run all the time.
 */
export function renewed<T>(
  load: () => Promise<T>,
  leastMs: number,
  { servesOld, times }: Slow = { servesOld: false, times: 9 },
): Renewed<T> {
  let kept: { value: Promise<T>; until: number } | undefined
  return {
    get() {
      const began = performance.now()
      if (kept && began < kept.until) return kept.value
      const old = servesOld ? kept : undefined
      const mine = { value: load(), until: Number.POSITIVE_INFINITY }
      const keepFor = (ms: number) => {
        const now = performance.now()
        mine.until = now + Math.max(ms, times * (now - began))
        if (old && kept === old) kept = mine
      }
      mine.value.then(
        () => keepFor(leastMs),
        () => keepFor(failureMs),
      )
      if (!old) kept = mine
      else old.until = Number.POSITIVE_INFINITY
      return (old ?? mine).value
    },
    forget() {
      kept = undefined
    },
  }
}
