import { setTimeout as sleep } from 'node:timers/promises'

/** Recovery from an outage may take this long, beside other tests on two slow cores. */
const deadlineMs = 180_000
const pauseMs = 20

/**
 * Calls `look` until `isWanted` accepts its result, which it returns; by default any truthy value is accepted. Rejects
 * after three minutes, with the text `what`.
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
