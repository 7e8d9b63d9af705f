import type { Turn } from '@playtherapy/object-store'

/** One therapist may have a quarter of the turns at once. */
const shareParts = 4
/**
 * The turns of one therapist together may ask for this many bytes: a store reads what it is asked for at once, even if
 * the client never reads it, and all other reads wait for its disks.
 */
const shareBytes = 64 * 1024 ** 2
/** Each turn may ask for at least this many bytes: what a player reads after a seek. */
const leastBytes = 1024 ** 2

/**
 * Lets `most` reads from the store run at once, a quarter of them for one therapist; others wait for their turn. The
 * more reads a therapist has running or waiting, the fewer bytes each may ask for.
 */
export function createTurns(most: number) {
  const share = Math.max(1, Math.floor(most / shareParts))
  const held = new Map<number, number>()
  const waiting: { userId: number; go: () => void }[] = []
  let running = 0
  const hasRoom = (userId: number) => running < most && (held.get(userId) ?? 0) < share
  const count = (userId: number, change: 1 | -1) => {
    running += change
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
        // It is counted here, so that no read that arrives before it continues can take its turn.
        count(chosen.userId, 1)
        chosen.go()
      }
      return { bytes: bytesFor(userId), giveBack }
    },
  }
}
