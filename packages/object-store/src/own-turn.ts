import { setImmediate as nextTurn } from 'node:timers/promises'

let last = Promise.resolve()

/**
 * Resolves in a turn of the event loop in which no other call of it resolves. Work of some milliseconds begins with it: where many
 * uploads do the same at once, other requests come between.
 */
export function ownTurn(): Promise<void> {
  last = last.then(() => nextTurn())
  return last
}
