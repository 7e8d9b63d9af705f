import { isOutage } from '@playtherapy/schema'
import { type Due, keyOf } from './due.ts'
import type { NewsRepository } from './repository.ts'
import type { SessionNews } from './schemas.ts'
import { eventText } from './stream.ts'

/** One statement reads this many sessions. */
const sessionsAtOnce = 200

/** What is told of a session that does not exist any more, or not for this therapist. */
const deletion = ({ caseId, sessionId }: Due): SessionNews => ({
  case_id: caseId,
  session_id: sessionId,
  deleted: true,
  session: null,
  video: null,
  script: null,
  report: null,
})

/** The text of the event that asks a client to read anew what it shows. */
export const resetText = eventText('reset', {})

/** The texts of the events of some sessions. One that could not be read has none, and its client is to read anew. */
export type Texts = ReadonlyMap<Due, string>

/**
 * Reads sessions as they now are. When a statement fails because of one of its sessions, each half is read alone, so that only the
 * session itself is left out, with which `onUnreadable` is called. Rejects if the database is down.
 */
export async function readTexts(
  read: NewsRepository['read'],
  wanted: Due[],
  onUnreadable: (due: Due, error: unknown) => void,
): Promise<Texts> {
  const texts = new Map<Due, string>()
  async function readPart(part: Due[]): Promise<void> {
    const [first] = part
    if (!first) return
    try {
      const rows = await read(part)
      const found = new Map(rows.map(({ userId, ...news }) => [keyOf({ userId, sessionId: news.session_id }), news]))
      for (const each of part) texts.set(each, eventText('session', found.get(keyOf(each)) ?? deletion(each)))
    } catch (error) {
      if (isOutage(error)) throw error
      if (part.length === 1) return onUnreadable(first, error)
      const middle = Math.ceil(part.length / 2)
      await readPart(part.slice(0, middle))
      await readPart(part.slice(middle))
    }
  }
  for (let from = 0; from < wanted.length; from += sessionsAtOnce) {
    await readPart(wanted.slice(from, from + sessionsAtOnce))
  }
  return texts
}
