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

/** Reads sessions as they now are; returns the text of the event for each. */
export async function readTexts(read: NewsRepository['read'], wanted: Due[]): Promise<Map<Due, string>> {
  const found = new Map<string, SessionNews>()
  for (let from = 0; from < wanted.length; from += sessionsAtOnce) {
    const rows = await read(wanted.slice(from, from + sessionsAtOnce))
    for (const { userId, ...news } of rows) found.set(keyOf({ userId, sessionId: news.session_id }), news)
  }
  return new Map(wanted.map((each) => [each, eventText('session', found.get(keyOf(each)) ?? deletion(each))]))
}

/** The text of the event that asks a client to read anew what it shows. */
export const resetText = eventText('reset', {})
