/** Works of one therapist that may wait for their turn, the one under way included. */
const mostWaiting = 16

/** Too many heavy statements of one therapist wait already; the caller should come again later. */
export class TooManyStatementsError extends Error {
  override name = 'TooManyStatementsError'
}

interface Work {
  userId: number
  start(): void
}

/**
 * Runs what may take the database long on a pool of its own, so that no other statement waits behind it.
 * One therapist has one work under way; the next begins when it has ended, in the order in which they came.
 * Rejects with TooManyStatementsError when sixteen of this therapist have not ended, otherwise as the work does.
 */
export type Heavy<Pool> = <T>(userId: number, work: (pool: Pool) => Promise<T>) => Promise<T>

/** `connections` is how many works run at once: the driver would send one more behind a slow statement. */
export function createHeavy<Pool>(pool: Pool, connections: number): Heavy<Pool> {
  const underWay = new Set<number>()
  const waiting: Work[] = []

  function startNext(): void {
    while (underWay.size < connections) {
      const at = waiting.findIndex(({ userId }) => !underWay.has(userId))
      const [next] = at < 0 ? [] : waiting.splice(at, 1)
      if (!next) return
      underWay.add(next.userId)
      next.start()
    }
  }

  return async (userId, work) => {
    const others = waiting.filter((other) => other.userId === userId).length + Number(underWay.has(userId))
    if (others >= mostWaiting) throw new TooManyStatementsError('too many heavy statements of one therapist')
    await new Promise<void>((start) => {
      waiting.push({ userId, start })
      startNext()
    })
    try {
      return await work(pool)
    } finally {
      underWay.delete(userId)
      startNext()
    }
  }
}
