import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '@playtherapy/schema'
import { createShares, errors, whenOver } from '@playtherapy/service-kit'
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify'
import type { Change, NewsRepository } from './repository.ts'
import type { SessionNews } from './schemas.ts'
import { createStream, type EventStream, eventText, numberIn } from './stream.ts'

/** Shortest pause between two rounds, and between two events of one session. */
const [roundMs, sessionMs] = [50, 500]
/** Pause until changes are looked for although no notice came, and after a failure. */
const [pollMs, retryMs] = [5_000, 1_000]
/** The longest time that a timer of Node takes, in milliseconds. */
const longestMs = 2 ** 31 - 1
/** Streams of one process, and the parts of them that one therapist may have: 10. */
const [mostStreams, parts] = [2_000, 200]
/** If more sessions have changed, a client reads them anew instead. */
const mostSessions = 100
/** One statement reads this many changes, or this many sessions. */
const [changesAtOnce, sessionsAtOnce] = [1_000, 200]

/** Who opens a stream, and what it is to tell. */
export interface Subscription {
  userId: number
  /** Tells of this case alone. */
  caseId: number | undefined
  /** The id of the last event that the client has seen. */
  lastEventId: string | undefined
  /** When the token ends, in seconds. */
  endsAt: number
}

/** A session whose state has to be told. */
interface Due {
  userId: number
  caseId: number
  sessionId: number
  /** The first and the last change that have not been told; infinite for progress, which has no number. */
  first: number
  last: number
}

interface Member {
  caseId: number | undefined
  stream: EventStream
  /** Changes up to this number were told when the stream was opened. */
  told: number
  isOpen: boolean
  /** What came while the stream was being opened, or was full, by session. */
  missed: Map<string, Due>
}

const keyOf = ({ userId, sessionId }: Pick<Due, 'userId' | 'sessionId'>) => `${userId}:${sessionId}`

/** Different for each stream, so that not all clients come back at once after a restart. */
const randomRetryMs = () => 1_000 + Math.floor(Math.random() * 4_000)

/** Adds a change to those of the same session. */
function add(changes: Map<string, Due>, change: Due): void {
  const key = keyOf(change)
  const { first, last } = changes.get(key) ?? change
  changes.set(key, { ...change, first: Math.min(first, change.first), last: Math.max(last, change.last) })
}

const deletion = ({ caseId, sessionId }: Due): SessionNews => ({
  case_id: caseId,
  session_id: sessionId,
  deleted: true,
  session: null,
  video: null,
  script: null,
  report: null,
})

/**
 * The event streams of a process. One connection listens for all; a notice begins a round, which reads what has changed and
 * tells each stream what its therapist may see. Without a stream nothing is read. It listens from the first stream on.
 */
export function createNews(
  listen: Database['$client']['listen'],
  { newest, changesAfter, beginning, read, hasCase }: NewsRepository,
  { log, heartbeatMs = 15_000 }: { log: FastifyBaseLogger; heartbeatMs?: number | undefined },
) {
  const shares = createShares(mostStreams, parts)
  const members = new Map<number, Set<Member>>()
  const all = () => [...members.values()].flatMap((own) => [...own])
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
  let running: Promise<void> | undefined

  const wake = () => {
    isWoken = true
    nap.abort()
  }

  function mark(change: Due): void {
    if (members.has(change.userId)) add(due, change)
  }

  /** Tells streams what they have missed, once they can take it. Returns whether one of them cannot yet. */
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

  /** Reads sessions as they now are; returns the texts of their events, in the same order. */
  async function textsOf(wanted: Due[]): Promise<string[]> {
    const found = new Map<string, SessionNews>()
    for (let from = 0; from < wanted.length; from += sessionsAtOnce) {
      const rows = await read(wanted.slice(from, from + sessionsAtOnce))
      for (const { userId, ...news } of rows) found.set(keyOf({ userId, sessionId: news.session_id }), news)
    }
    return wanted.map((each) => eventText('session', found.get(keyOf(each)) ?? deletion(each)))
  }

  /** Takes the sessions that may be told now out of those that are due, by therapist and in the order of their changes. */
  function takeDue(): Map<number, Due[]> {
    const now = Date.now()
    for (const [key, at] of readAt) if (at + sessionMs <= now) readAt.delete(key)
    const taken = [...due].filter(([key]) => !readAt.has(key))
    for (const [key] of taken) {
      due.delete(key)
      readAt.set(key, now)
    }
    const byTherapist = new Map<number, Due[]>()
    for (const [, each] of taken.sort(([, a], [, b]) => a.first - b.first)) {
      byTherapist.set(each.userId, [...(byTherapist.get(each.userId) ?? []), each])
    }
    return byTherapist
  }

  /** Reads what has changed, and tells it. After a failure it may be called again. */
  async function round(): Promise<void> {
    if (hasChanges) await readChanges()
    const taken = takeDue()
    const told = [...taken.values()].filter((own) => own.length <= mostSessions).flat()
    let texts: Map<Due, string>
    try {
      const read = await textsOf(told)
      texts = new Map(told.map((each, index) => [each, read[index] ?? '']))
    } catch (error) {
      for (const own of taken.values()) {
        for (const each of own) {
          mark(each)
          readAt.delete(keyOf(each))
        }
      }
      throw error
    }
    // What waits for its turn has not been told yet.
    const known = [...due.values()].reduce((least, { first }) => Math.min(least, first - 1), position)
    for (const [userId, own] of taken) {
      for (const { caseId, stream, isOpen, missed, told } of members.get(userId) ?? []) {
        const mine = own.filter((each) => each.last > told && (caseId === undefined || each.caseId === caseId))
        if (!isOpen || missed.size > 0 || stream.isFull) for (const each of mine) add(missed, each)
        else if (own.length > mostSessions) stream.send([eventText('reset', {})], known)
        else if (mine.length > 0)
          stream.send(
            mine.map((each) => texts.get(each) ?? ''),
            known,
          )
      }
    }
    lost = lost.filter(({ userId, caseId }) => {
      if ([...due.values()].some((each) => each.userId === userId && each.caseId === caseId)) return true
      for (const member of members.get(userId) ?? []) if (member.caseId === caseId) member.stream.end()
      return false
    })
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
    running = undefined
  }

  async function begin(): Promise<void> {
    // The last function is called after each LISTEN, also that after a lost connection, when notices were missed.
    const onListen = () => onNotice('')
    listening ??= listen('session_changes', onNotice, onListen)
    await listening.catch((error: unknown) => {
      listening = undefined
      throw error
    })
    position = await newest()
    run()
  }

  const heartbeat = setInterval(() => {
    for (const { stream, isOpen } of all()) if (isOpen) stream.beat()
  }, heartbeatMs).unref()

  /** Begins a stream. Returns the number of the newest change that it tells. */
  async function fill(stream: EventStream, { userId, caseId, lastEventId }: Subscription): Promise<number> {
    running ??= begin().catch((error: unknown) => {
      running = undefined
      throw error
    })
    await running
    const seen = lastEventId === undefined ? undefined : numberIn(lastEventId)
    const start = await beginning(userId, caseId, seen ?? 0, mostSessions + 1)
    const isKnown = seen !== undefined && seen >= start.oldest && seen <= start.newest
    const changed = isKnown ? start.changed : []
    const isReset = (lastEventId !== undefined && !isKnown) || changed.length > mostSessions
    const wanted = changed.map((each) => ({
      userId,
      caseId: each.case_id,
      sessionId: each.session_id,
      first: 0,
      last: 0,
    }))
    const events = isReset ? [eventText('reset', {})] : await textsOf(wanted)
    stream.open(start.newest, randomRetryMs(), isKnown ? lastEventId : undefined)
    if (events.length > 0) stream.send(events, start.newest)
    return start.newest
  }

  return {
    /**
     * Opens a stream, and returns the body of its response: what the client has missed, and then what changes. It ends with the
     * connection, with the token, when the process closes, and when its case is no longer this therapist's. Throws
     * `errors.tooManyRequests` and `errors.unavailable` where there are too many, and `errors.caseNotFound`.
     */
    async open(request: FastifyRequest, reply: FastifyReply, subscription: Subscription): Promise<Readable> {
      const { userId, caseId, endsAt } = subscription
      const giveBack = shares.take(userId)
      const stream = createStream(reply.raw)
      const member: Member = { caseId, stream, told: 0, isOpen: false, missed: new Map() }
      const own = members.get(userId) ?? new Set()
      members.set(userId, own.add(member))
      const timer = setTimeout(() => stream.end(), Math.min(endsAt * 1_000 - Date.now(), longestMs)).unref()
      whenOver(request, reply, () => {
        clearTimeout(timer)
        giveBack()
        own.delete(member)
        if (own.size === 0 && members.get(userId) === own) members.delete(userId)
        if (members.size === 0) wake()
      })
      if (caseId !== undefined && !(await hasCase(userId, caseId))) throw errors.caseNotFound(caseId)
      member.told = await fill(stream, subscription)
      member.isOpen = true
      if (member.missed.size > 0) wake()
      return stream.body
    },

    /** Ends all streams. */
    end(): void {
      isClosing = true
      clearInterval(heartbeat)
      for (const { stream } of all()) stream.end()
      wake()
    },

    /** Ends the LISTEN. */
    async close(): Promise<void> {
      const { unlisten } = (await listening?.catch(() => undefined)) ?? {}
      await unlisten?.().catch(() => undefined)
    },
  }
}

