/** A result that is loaded again when it is asked for and too old. */
export interface Renewed<T> {
  get(): Promise<T>
  /** The next `get` loads again. */
  forget(): void
}

/** A failure that came at once is kept for so long. */
const failureMs = 1_000

/**
 * Keeps what `load` resolves with for `leastMs`, and for nine times as long as it took: so many who ask cost no more than one, and
 * never more than a tenth of a connection. All who ask while it loads get the same result. A failure is kept for a second, and for nine
 * times as long as it took, too: a statement that takes too long would otherwise run all the time.
 */
export function renewed<T>(load: () => Promise<T>, leastMs: number): Renewed<T> {
  let kept: { value: Promise<T>; until: number } | undefined
  return {
    get() {
      const began = performance.now()
      if (kept && began < kept.until) return kept.value
      const mine = { value: load(), until: Number.POSITIVE_INFINITY }
      kept = mine
      const keepFor = (ms: number) => {
        const now = performance.now()
        mine.until = now + Math.max(ms, 9 * (now - began))
      }
      mine.value.then(
        () => keepFor(leastMs),
        () => keepFor(failureMs),
      )
      return mine.value
    },
    forget() {
      kept = undefined
    },
  }
}
