/** Most heavy statements of one therapist that run or wait. */
const mostWaiting = 16

/** Too many heavy statements of one therapist run or wait; the caller should retry later. */
export class TooManyStatementsError extends Error {
  override name = 'TooManyStatementsError'
}

/**
 * Runs a slow statement on a pool of its own, so that no other statement waits for it. One therapist runs one at a time, in
 * the order of the calls. Rejects with TooManyStatementsError when sixteen of this therapist have not ended, otherwise as
 * the work does.
 */
export type Heavy<Pool> = <T>(userId: number, work: (pool: Pool) => Promise<T>) => Promise<T>

/** `connections` statements run at once: the driver would send one more on the connection of a slow statement. */
export function createHeavy<Pool>(pool: Pool, connections: number): Heavy<Pool> {
  const running = new Set<number>()
  const waiting: { userId: number; start: () => void }[] = []

  function startNext(): void {
    while (running.size < connections) {
      const at = waiting.findIndex(({ userId }) => !running.has(userId))
      const [next] = at < 0 ? [] : waiting.splice(at, 1)
      if (!next) return
      running.add(next.userId)
      next.start()
    }
  }

  return async (userId, work) => {
    const others = waiting.filter((other) => other.userId === userId).length + Number(running.has(userId))
    if (others >= mostWaiting) throw new TooManyStatementsError('too many heavy statements of one therapist')
    await new Promise<void>((start) => {
      waiting.push({ userId, start })
      startNext()
    })
    try {
      return await work(pool)
    } finally {
      running.delete(userId)
      startNext()
    }
  }
}
