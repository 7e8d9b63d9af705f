/** Shortest pause between two events of one session, and after a session could not be read. */
const [sessionMs, unreadableMs] = [500, 60_000]

/** A session whose state has to be told to a therapist. */
export interface Due {
  userId: number
  caseId: number
  sessionId: number
  /** The first and the last change that have not been told; infinite for progress, which has no number. */
  first: number
  last: number
}

/** Sessions by therapist and id. A session stays in its case, as the database demands. */
export const keyOf = ({ userId, sessionId }: Pick<Due, 'userId' | 'sessionId'>) => `${userId}:${sessionId}`

/** Adds a change to those of the same session. */
export function add(changes: Map<string, Due>, change: Due): void {
  const key = keyOf(change)
  const { first, last } = changes.get(key) ?? change
  changes.set(key, { ...change, first: Math.min(first, change.first), last: Math.max(last, change.last) })
}

/** The sessions that have to be told, each of them at most twice a second. */
export function createDue() {
  const due = new Map<string, Due>()
  /** The earliest time at which a session may be read again, in milliseconds of the monotonic clock. */
  const nextAt = new Map<string, number>()

  return {
    get size() {
      return due.size
    },

    add: (change: Due) => add(due, change),

    /** Takes the sessions that may be told now, by therapist and in the order of their changes. */
    take(): Map<number, Due[]> {
      const now = performance.now()
      for (const [key, at] of nextAt) if (at <= now) nextAt.delete(key)
      const taken = [...due].filter(([key]) => !nextAt.has(key)).sort(([, a], [, b]) => a.first - b.first)
      const byTherapist = new Map<number, Due[]>()
      for (const [key, each] of taken) {
        due.delete(key)
        nextAt.set(key, now + sessionMs)
        const own = byTherapist.get(each.userId) ?? []
        own.push(each)
        byTherapist.set(each.userId, own)
      }
      return byTherapist
    },

    /** Puts sessions back that were taken and not read. */
    putBack(taken: Due[]): void {
      for (const each of taken) {
        add(due, each)
        nextAt.delete(keyOf(each))
      }
    },

    /** Lets a session wait for longer that cannot be read. */
    postpone: (each: Due) => nextAt.set(keyOf(each), performance.now() + unreadableMs),

    /** The first change of each therapist that still waits for its turn. */
    firstWaiting(): Map<number, number> {
      const firsts = new Map<number, number>()
      for (const { userId, first } of due.values()) firsts.set(userId, Math.min(first, firsts.get(userId) ?? first))
      return firsts
    },

    /** Whether sessions of this case wait for their turn. */
    hasCase: (userId: number, caseId: number) =>
      [...due.values()].some((each) => each.userId === userId && each.caseId === caseId),
  }
}
