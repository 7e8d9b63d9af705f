/** Part of the turns that one therapist may have at once. */
const sharePart = 4

/**
 * Lets `most` go on at once, a quarter of them for one therapist; the others wait for their turn. `take` resolves with a
 * function that gives the turn back, which has to be called once.
 */
export function createTurns(most: number) {
  const share = Math.max(1, Math.floor(most / sharePart))
  const held = new Map<number, number>()
  const waiting: { userId: number; go: () => void }[] = []
  let taken = 0
  const hasRoom = (userId: number) => taken < most && (held.get(userId) ?? 0) < share
  const count = (userId: number, change: 1 | -1) => {
    taken += change
    const left = (held.get(userId) ?? 0) + change
    if (left > 0) held.set(userId, left)
    else held.delete(userId)
  }
  return {
    async take(userId: number): Promise<() => void> {
      if (hasRoom(userId)) count(userId, 1)
      else await new Promise<void>((go) => waiting.push({ userId, go }))
      return () => {
        count(userId, -1)
        const next = waiting.findIndex((other) => hasRoom(other.userId))
        const [chosen] = next < 0 ? [] : waiting.splice(next, 1)
        if (!chosen) return
        // Counted here, so that nobody who comes before it runs can take its place.
        count(chosen.userId, 1)
        chosen.go()
      }
    },
  }
}
