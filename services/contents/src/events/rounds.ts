import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '@playtherapy/schema'
import type { FastifyBaseLogger } from 'fastify'
import { createDue, type Due } from './due.ts'
import { createMembers, type Member } from './members.ts'
import type { Change, NewsRepository } from './repository.ts'
import { readTexts } from './texts.ts'

/** Shortest pause between two rounds. */
const roundMs = 50
/** Pause until changes are looked for although no notice came, and after a failure. */
const [pollMs, retryMs] = [5_000, 1_000]
/** When nothing could be read for so long, streams end, because their clients would take an old state for the current one. */
const blindMs = 60_000
/** One statement reads this many changes. */
const changesAtOnce = 1_000
/** If more sessions have changed, a client reads them anew instead. */
export const mostSessions = 100

/**
 * Tells the streams of a process what changes. One connection listens for all; a notice begins a round, which reads what has
 * changed and tells each stream what its therapist may see. It listens from the first stream on, and reads nothing while
 * there is none.
 */
export function createRounds(
  listen: Database['$client']['listen'],
  repository: Pick<NewsRepository, 'position' | 'stayAwake' | 'changesAfter' | 'read'>,
  log: FastifyBaseLogger,
) {
  const { stayAwake, changesAfter, read } = repository
  const members = createMembers()
  const due = createDue()
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

  function wake(): void {
    isWoken = true
    nap.abort()
  }

  function mark(change: Due): void {
    if (members.has(change.userId)) due.add(change)
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

  /** Ends all streams if the numbers begin again, as they do in a backup that is restored. Their clients come back for `reset`. */
  async function checkPosition(): Promise<void> {
    const { newest } = await repository.position()
    if (newest < position) members.endAll()
    position = Math.min(position, newest)
  }

  /** Ends streams whose case is lost, once they have been told of its sessions. */
  function endLost(): void {
    lost = lost.filter(({ userId, caseId }) => {
      if (due.hasCase(userId, caseId)) return true
      members.endCase(userId, caseId)
      return false
    })
  }

  /** Reads what has changed, and tells it. After a failure it may be called again. */
  async function round(): Promise<void> {
    if (hasChanges) await readChanges()
    const taken = due.take()
    const sessions = [...taken.values()]
    const wanted = sessions.filter((own) => own.length <= mostSessions).flat()
    const texts = await readTexts(read, wanted, (each, error) => {
      due.postpone(each)
      log.error({ err: error, session_id: each.sessionId }, 'a session could not be read for its event streams')
    }).catch((error: unknown) => {
      due.putBack(sessions.flat())
      throw error
    })
    // What waits for its turn has not been told yet.
    const waiting = due.firstWaiting()
    for (const [userId, own] of taken) {
      // Writing to 2,000 connections takes a quarter of a second, in which no other request would be answered.
      await nextTurn()
      members.tell(userId, own, texts, Math.min(position, (waiting.get(userId) ?? Number.POSITIVE_INFINITY) - 1))
    }
    endLost()
  }

  /** Runs rounds as long as there are streams. */
  async function run(): Promise<void> {
    let hasFailed = false
    let pollAt = 0
    let readAt = performance.now()
    while (!members.isEmpty() && !isClosing) {
      isWoken = false
      const isBehind = members.catchUp(mark)
      try {
        if (performance.now() >= pollAt) {
          hasChanges = true
          await stayAwake()
          await checkPosition()
          pollAt = performance.now() + pollMs
        }
        await round()
        hasFailed = false
        readAt = performance.now()
      } catch (error) {
        if (!hasFailed) log.warn({ err: error }, 'the changes of sessions could not be read')
        hasFailed = true
        hasChanges = true
        if (performance.now() - readAt > blindMs) members.endAll()
      }
      await sleep(hasFailed ? retryMs : roundMs)
      nap = new AbortController()
      const isIdle = !isWoken && !isBehind && !hasFailed && due.size === 0 && !isClosing
      if (isIdle) await sleep(pollAt - performance.now(), undefined, { signal: nap.signal }).catch(() => {})
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
    await stayAwake()
    position = (await repository.position()).newest
    running = run()
  }

  return {
    all: members.all,
    makeRoom: members.makeRoom,
    wake,

    join(member: Member): void {
      members.add(member)
      if (isClosing) member.stream.end()
    },

    leave(member: Member): void {
      members.remove(member)
      if (members.isEmpty()) wake()
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
      members.endAll()
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
