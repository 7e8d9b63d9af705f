import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '@playtherapy/schema'
import type { FastifyBaseLogger } from 'fastify'
import { add, type Due, keyOf } from './due.ts'
import type { Change, NewsRepository } from './repository.ts'
import type { EventStream } from './stream.ts'
import { readTexts, resetText } from './texts.ts'

/** Shortest pause between two rounds, and between two events of one session. */
const [roundMs, sessionMs] = [50, 500]
/** Pause until changes are looked for although no notice came, and after a failure. */
const [pollMs, retryMs] = [5_000, 1_000]
/** One statement reads this many changes. */
const changesAtOnce = 1_000
/** If more sessions have changed, a client reads them anew instead. */
export const mostSessions = 100

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
}

/**
 * Tells the streams of a process what changes. One connection listens for all; a notice begins a round, which reads what has
 * changed and tells each stream what its therapist may see. It listens from the first stream on, and reads nothing while
 * there is none.
 */
export function createRounds(
  listen: Database['$client']['listen'],
  { newest, changesAfter, read }: Pick<NewsRepository, 'newest' | 'changesAfter' | 'read'>,
  log: FastifyBaseLogger,
) {
  const members = new Map<number, Set<Member>>()
  const due = new Map<string, Due>()
  /** When sessions were read last, in milliseconds. */
  const readAt = new Map<string, number>()
  /** Cases that do not belong to a therapist any more, whose streams have to end. */
  let lost: Pick<Change, 'userId' | 'caseId'>[] = []
  /** All changes up to this number have been read. */
  let position = 0
  let hasChanges = false
  let isWoken = false
  let nap = new AbortController()
  let isClosing = false
  let listening: ReturnType<typeof listen> | undefined
  /** Resolves when rounds are running; undefined while they are not. */
  let beginning: Promise<void> | undefined
  /** Resolves when they have ended. */
  let running: Promise<void> | undefined

  const all = () => [...members.values()].flatMap((own) => [...own])

  function wake(): void {
    isWoken = true
    nap.abort()
  }

  function mark(change: Due): void {
    if (members.has(change.userId)) add(due, change)
  }

  /** A notice is empty, or names therapist, case and session of some progress. */
  function onNotice(notice: string): void {
    const [userId = 0, caseId = 0, sessionId] = notice.split(':').map(Number)
    if (sessionId === undefined) hasChanges = true
    else mark({ userId, caseId, sessionId, first: Number.POSITIVE_INFINITY, last: Number.POSITIVE_INFINITY })
    if (hasChanges || due.size > 0) wake()
  }

  async function readChanges(): Promise<void> {
    hasChanges = false
    for (let isMore = true; isMore; ) {
      const changes = await changesAfter(position, changesAtOnce)
      for (const { number, userId, caseId, sessionId } of changes) {
        if (sessionId === null) lost.push({ userId, caseId })
        else mark({ userId, caseId, sessionId, first: number, last: number })
        position = number
      }
      isMore = changes.length === changesAtOnce
    }
  }

  /** Marks what streams have missed, once they can take it. Returns whether one of them cannot yet. */
  function catchUp(): boolean {
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
  }

  /** Takes the sessions that may be told now out of those that are due, by therapist and in the order of their changes. */
  function takeDue(): Map<number, Due[]> {
    const now = Date.now()
    for (const [key, at] of readAt) if (at + sessionMs <= now) readAt.delete(key)
    const taken = [...due].filter(([key]) => !readAt.has(key)).sort(([, a], [, b]) => a.first - b.first)
    const byTherapist = new Map<number, Due[]>()
    for (const [key, each] of taken) {
      due.delete(key)
      readAt.set(key, now)
      const own = byTherapist.get(each.userId) ?? []
      own.push(each)
      byTherapist.set(each.userId, own)
    }
    return byTherapist
  }

  function tell(userId: number, own: Due[], texts: Map<Due, string>, known: number): void {
    for (const { caseId, stream, isOpen, missed, told } of members.get(userId) ?? []) {
      const mine = own.filter((each) => each.last > told && (caseId === undefined || each.caseId === caseId))
      if (mine.length === 0) continue
      if (!isOpen || missed.size > 0 || stream.isFull) for (const each of mine) add(missed, each)
      else if (own.length > mostSessions) stream.send([resetText], known)
      else
        stream.send(
          mine.map((each) => texts.get(each) ?? resetText),
          known,
        )
    }
  }

  /** Ends streams whose case is lost, once they have been told of its sessions. */
  function endLost(): void {
    const waiting = [...due.values()]
    lost = lost.filter(({ userId, caseId }) => {
      if (waiting.some((each) => each.userId === userId && each.caseId === caseId)) return true
      for (const member of members.get(userId) ?? []) if (member.caseId === caseId) member.stream.end()
      return false
    })
  }

  /** Reads what has changed, and tells it. After a failure it may be called again. */
  async function round(): Promise<void> {
    if (hasChanges) await readChanges()
    const taken = takeDue()
    const sessions = [...taken.values()]
    const wanted = sessions.filter((own) => own.length <= mostSessions).flat()
    const texts = await readTexts(read, wanted).catch((error: unknown) => {
      for (const each of sessions.flat()) {
        mark(each)
        readAt.delete(keyOf(each))
      }
      throw error
    })
    // What waits for its turn has not been told yet.
    const known = [...due.values()].reduce((least, { first }) => Math.min(least, first - 1), position)
    for (const [userId, own] of taken) tell(userId, own, texts, known)
    endLost()
  }

  /** Runs rounds as long as there are streams. */
  async function run(): Promise<void> {
    let hasFailed = false
    let pollAt = 0
    while (members.size > 0 && !isClosing) {
      isWoken = false
      if (Date.now() >= pollAt) {
        hasChanges = true
        pollAt = Date.now() + pollMs
      }
      const isBehind = catchUp()
      try {
        await round()
        hasFailed = false
      } catch (error) {
        if (!hasFailed) log.warn({ err: error }, 'the changes of sessions could not be read')
        hasFailed = true
        hasChanges = true
      }
      await sleep(hasFailed ? retryMs : roundMs)
      nap = new AbortController()
      const isIdle = !isWoken && !isBehind && !hasFailed && due.size === 0 && !isClosing
      if (isIdle) await sleep(pollAt - Date.now(), undefined, { signal: nap.signal }).catch(() => {})
    }
    beginning = undefined
  }

  async function begin(): Promise<void> {
    // The last function is called after each LISTEN, also that after a lost connection, when notices were missed.
    listening ??= listen('session_changes', onNotice, () => onNotice(''))
    try {
      await listening
    } catch (error) {
      listening = undefined
      throw error
    }
    position = await newest()
    running = run()
  }

  return {
    all,
    wake,

    /** Adds a stream. Returns a function that removes it. */
    join(member: Member): () => void {
      const { userId } = member
      const own = members.get(userId) ?? new Set()
      members.set(userId, own.add(member))
      if (isClosing) member.stream.end()
      return () => {
        own.delete(member)
        if (own.size === 0 && members.get(userId) === own) members.delete(userId)
        if (members.size === 0) wake()
      }
    },

    /** Resolves when every change from now on is told to the streams that have joined. Rejects without the database. */
    async ready(): Promise<void> {
      beginning ??= begin().catch((error: unknown) => {
        beginning = undefined
        throw error
      })
      await beginning
    },

    /** Ends all streams. */
    end(): void {
      isClosing = true
      for (const { stream } of all()) stream.end()
      wake()
    },

    /** Resolves when the last round and the LISTEN have ended. */
    async close(): Promise<void> {
      await running
      const { unlisten } = (await listening?.catch(() => undefined)) ?? {}
      await unlisten?.().catch(() => undefined)
    },
  }
}
