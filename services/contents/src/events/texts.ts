import { isOutage } from '@playtherapy/schema'
import type { Due } from './due.ts'
import type { NewsRepository } from './repository.ts'
import type { SessionNews } from './schemas.ts'
import { eventText } from './stream.ts'

/** One statement reads this many sessions. */
const sessionsAtOnce = 200

/** The event of a session. */
interface Told {
  /** The case that the session is in now, or was in before its deletion. */
  caseId: number
  text: string
}

/** What is told of a session that does not exist any more, or not for this therapist, or not in this case. */
const deletion = ({ caseId, sessionId }: Due): Told => ({
  caseId,
  text: eventText('session', {
    case_id: caseId,
    session_id: sessionId,
    deleted: true,
    session: null,
    video: null,
    script: null,
    report: null,
  } satisfies SessionNews),
})

/** The text of the event that asks a client to read anew what it shows. */
export const resetText = eventText('reset', {})

/** The events of some sessions, and of those that cannot be read. */
export class Texts {
  readonly #told = new Map<Due, Told>()

  set(each: Due, news: SessionNews | undefined): void {
    this.#told.set(each, news ? { caseId: news.case_id, text: eventText('session', news) } : deletion(each))
  }

  /**
   * The text for a stream of one case, or of all. For a session that was not read it is `reset`: the client is to read anew what
   * it shows.
   */
  of(each: Due, caseId: number | undefined): string {
    const told = this.#told.get(each)
    if (!told) return resetText
    return caseId === undefined || told.caseId === caseId ? told.text : deletion(each).text
  }
}

/**
 * Reads sessions as they now are. When a statement fails because of one of its sessions, each half is read alone, so that only the
 * session itself is left out, with which `onUnreadable` is called. Rejects if the database is down.
 */
export async function readTexts(
  read: NewsRepository['read'],
  wanted: Due[],
  onUnreadable: (due: Due, error: unknown) => void,
): Promise<Texts> {
  const texts = new Texts()
  const nameOf = (userId: number, sessionId: number) => `${userId}:${sessionId}`
  async function readPart(part: Due[]): Promise<void> {
    const [first] = part
    if (!first) return
    try {
      const rows = await read(part)
      const found = new Map(rows.map(({ userId, ...news }) => [nameOf(userId, news.session_id), news]))
      for (const each of part) texts.set(each, found.get(nameOf(each.userId, each.sessionId)))
    } catch (error) {
      if (isOutage(error)) throw error
      if (part.length === 1) return onUnreadable(first, error)
      const middle = Math.ceil(part.length / 2)
      await readPart(part.slice(0, middle))
      await readPart(part.slice(middle))
    }
  }
  for (let from = 0; from < wanted.length; from += sessionsAtOnce)
    await readPart(wanted.slice(from, from + sessionsAtOnce))
  return texts
}
