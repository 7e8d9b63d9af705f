import type { Turn } from '@playtherapy/object-store'

/** Part of the turns that one therapist may have at once. */
const sharePart = 4
/**
 * Bytes that the turns of one therapist may be for, together. A store reads what it is asked for at once, whether it is
 * taken or not, and everybody else waits for its disks meanwhile.
 */
const shareBytes = 64 * 1024 ** 2
/** Bytes that a turn is for at least: what a player reads after a seek. */
const leastBytes = 1024 ** 2

/**
 * Lets `most` read from the store at once, a quarter of them for one therapist; the others wait for their turn. The more
 * reads a therapist has under way or waiting, the fewer bytes each of them may ask for.
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
  const bytesFor = (userId: number) => {
    const reads = (held.get(userId) ?? 0) + waiting.filter((other) => other.userId === userId).length
    return Math.max(leastBytes, Math.floor(shareBytes / reads))
  }
  return {
    async take(userId: number): Promise<Turn> {
      if (hasRoom(userId)) count(userId, 1)
      else await new Promise<void>((go) => waiting.push({ userId, go }))
      const giveBack = () => {
        count(userId, -1)
        const next = waiting.findIndex((other) => hasRoom(other.userId))
        const [chosen] = next < 0 ? [] : waiting.splice(next, 1)
        if (!chosen) return
        // Counted here, so that nobody who comes before it runs can take its place.
        count(chosen.userId, 1)
        chosen.go()
      }
      return { bytes: bytesFor(userId), giveBack }
    },
  }
}
