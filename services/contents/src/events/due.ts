/** A session whose state has to be told to a therapist. */
export interface Due {
  userId: number
  caseId: number
  sessionId: number
  /** The first and the last change that have not been told; infinite for progress, which has no number. */
  first: number
  last: number
}

/** Sessions by therapist and id. */
export const keyOf = ({ userId, sessionId }: Pick<Due, 'userId' | 'sessionId'>) => `${userId}:${sessionId}`

/** Adds a change to those of the same session. */
export function add(changes: Map<string, Due>, change: Due): void {
  const key = keyOf(change)
  const { first, last } = changes.get(key) ?? change
  changes.set(key, { ...change, first: Math.min(first, change.first), last: Math.max(last, change.last) })
}
