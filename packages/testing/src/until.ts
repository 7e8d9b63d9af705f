import { setTimeout as sleep } from 'node:timers/promises'

/** Longest wait, in milliseconds: beside other tests, on two slow cores, recovery from a fault may take this long. */
const deadlineMs = 180_000
/** Pause between two looks, in milliseconds. */
const pauseMs = 20

/**
 * Looks again and again until `isWanted` accepts what it sees, which it returns; without `isWanted` any truthy value is
 * accepted. Rejects with the name of what was waited for when that takes longer than three minutes.
 */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  isWanted: (seen: T) => boolean = Boolean,
): Promise<T> {
  for (const end = Date.now() + deadlineMs; ; await sleep(pauseMs)) {
    const seen = await look()
    if (isWanted(seen)) return seen
    if (Date.now() > end) throw new Error(`It did not happen: ${what}`)
  }
}
