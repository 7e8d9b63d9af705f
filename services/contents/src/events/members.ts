import { add, type Due } from './due.ts'
import type { EventStream } from './stream.ts'
import { resetText, type Texts } from './texts.ts'

/** A stream, and what its client knows. */
export interface Member {
  userId: number
  /** Tells of this case alone. */
  caseId: number | undefined
  stream: EventStream
  /** Changes up to this number were told when the stream was opened. */
  told: number
  isOpen: boolean
  /** What came while the stream was being opened, or was full, by session. */
  missed: Map<string, Due>
  /** Gives back the place of the stream, and tells it nothing more. */
  leave: () => void
}

/** Sends the events of some sessions. When the last one has arrived, the client knows all changes up to `known`. */
export function send({ stream }: Member, sessions: Due[], texts: Texts, known: number): void {
  // Many sessions that are to be read anew have one text.
  const events = new Set(sessions.map((each) => texts.get(each) ?? resetText))
  let left = events.size
  for (const event of events) stream.send(event, --left === 0 ? known : 0)
}

/** The streams of a process by their therapists. */
export function createMembers() {
  const byTherapist = new Map<number, Set<Member>>()
  const of = (userId: number) => byTherapist.get(userId) ?? new Set<Member>()
  const all = () => [...byTherapist.values()].flatMap((own) => [...own])

  return {
    all,
    has: (userId: number) => byTherapist.has(userId),
    isEmpty: () => byTherapist.size === 0,

    add(member: Member): void {
      byTherapist.set(member.userId, of(member.userId).add(member))
    },

    /** Replaces the oldest streams of a therapist until there are fewer than `most`. */
    makeRoom(userId: number, most: number): void {
      const own = of(userId)
      for (const { leave, stream } of own) {
        if (own.size < most) return
        leave()
        stream.replace()
      }
    },

    remove(member: Member): void {
      const own = of(member.userId)
      own.delete(member)
      if (own.size === 0) byTherapist.delete(member.userId)
    },

    /** Calls `mark` with what streams have missed, once they can take it. Returns whether one of them cannot yet. */
    catchUp(mark: (change: Due) => void): boolean {
      let isBehind = false
      for (const { stream, isOpen, missed } of all()) {
        if (missed.size === 0) continue
        if (!isOpen || stream.isFull) isBehind = true
        else {
          for (const each of missed.values()) mark(each)
          missed.clear()
        }
      }
      return isBehind
    },

    /** Tells the streams of a therapist of some sessions; `known` as for {@link send}. */
    tell(userId: number, sessions: Due[], texts: Texts, known: number): void {
      for (const member of of(userId)) {
        const { caseId, stream, isOpen, missed, told } = member
        const mine = sessions.filter((each) => each.last > told && (caseId === undefined || each.caseId === caseId))
        if (isOpen && missed.size === 0 && !stream.isFull) send(member, mine, texts, known)
        else for (const each of mine) add(missed, each)
      }
    },

    /** Ends the streams of one case. */
    endCase(userId: number, caseId: number): void {
      for (const member of of(userId)) if (member.caseId === caseId) member.stream.end()
    },

    endAll(): void {
      for (const { stream } of all()) stream.end()
    },
  }
}
