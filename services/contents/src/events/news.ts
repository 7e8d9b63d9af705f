import type { Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Database } from '@playtherapy/schema'
import { createShares, errors, whenOver } from '@playtherapy/service-kit'
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify'
import { type Member, send } from './members.ts'
import type { NewsRepository } from './repository.ts'
import { createRounds, mostSessions } from './rounds.ts'
import { createStream, placeIn } from './stream.ts'
import { readTexts, resetText } from './texts.ts'

/** Streams of one process, and the parts of them that one therapist may have: 10. */
const [mostStreams, parts] = [2_000, 200]
/** Streams that get a heartbeat in one turn of the event loop: all 2,000 would take a quarter of a second. */
const beatsOfTurn = 20
/** The longest time that a timer of Node takes, in milliseconds. */
const longestMs = 2 ** 31 - 1
/** Different for each stream, so that not all clients come back at once after a restart. */
const randomRetryMs = () => 1_000 + Math.floor(Math.random() * 4_000)

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

interface NewsOptions {
  listen: Database['$client']['listen']
  repository: NewsRepository
  log: FastifyBaseLogger
  heartbeatMs?: number | undefined
  /** Longest time of each step of an opening, in milliseconds. */
  openMs?: number | undefined
}

/** Awaits `work`. Rejects with `errors.unavailable` when it takes longer than `ms`. */
async function withinMs<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(errors.unavailable()), ms)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** The event streams of a process. */
export function createNews({ listen, repository, log, heartbeatMs = 15_000, openMs = 10_000 }: NewsOptions) {
  const { beginning, read, hasCase } = repository
  const shares = createShares(mostStreams, parts)
  const rounds = createRounds(listen, repository, log)
  const beat = async () => {
    for (const [n, { stream, isOpen }] of rounds.all().entries()) {
      if (n % beatsOfTurn === 0) await nextTurn()
      if (isOpen) stream.beat()
    }
  }
  const heartbeat = setInterval(beat, heartbeatMs).unref()

  /** Begins a stream with what its client has missed. Returns the number of the newest change that it tells. */
  async function fill(member: Member, lastEventId: string | undefined): Promise<number> {
    const { userId, caseId, stream } = member
    const seen = lastEventId === undefined ? undefined : placeIn(lastEventId)
    const { epoch, newest, oldest, changed } = seen
      ? await beginning(userId, caseId, seen.number, mostSessions + 1)
      : { ...(await repository.position()), oldest: 0, changed: [] }
    const isKnown = seen?.epoch === epoch && seen.number >= oldest && seen.number <= newest
    const isReset = lastEventId !== undefined && (!isKnown || changed.length > mostSessions)
    const wanted = (isKnown && !isReset ? changed : []).map((each) => ({
      userId,
      caseId: each.case_id,
      sessionId: each.session_id,
      first: 0,
      last: 0,
    }))
    const texts = await readTexts(read, wanted, (each, error) =>
      log.error({ err: error, session_id: each.sessionId }, 'a session could not be read for an event stream'),
    )
    // A client that comes back knows what is newest only when it has been told.
    const isTold = wanted.length === 0 && !isReset
    stream.open(epoch, isKnown && !isTold ? 0 : newest, randomRetryMs(), isKnown ? lastEventId : undefined)
    if (isReset) stream.send(resetText, newest)
    send(member, wanted, texts, newest)
    return newest
  }

  return {
    /** How many streams are open. */
    get held() {
      return shares.held
    },

    /** What the bound on streams has refused. */
    refused: shares.refused,

    /**
     * Opens a stream, and returns the body of its response: what the client has missed, and then what changes. It ends with the
     * connection, with the token, when the process closes, when its case is no longer this therapist's, and when the therapist
     * opens one too many after it: the connection of a tablet that has changed its network looks alive for a quarter of an hour,
     * so refusing the newest would lock its therapist out. Throws `errors.caseNotFound`, and `errors.unavailable` (503) where this
     * process has too many or the database does not respond in time.
     */
    async open(request: FastifyRequest, reply: FastifyReply, subscription: Subscription): Promise<Readable> {
      const { userId, caseId, endsAt } = subscription
      if (caseId !== undefined && !(await withinMs(openMs, hasCase(userId, caseId)))) throw errors.caseNotFound(caseId)
      rounds.makeRoom(userId, shares.share)
      const giveBack = shares.take(userId)
      const stream = createStream(reply.raw)
      const timer = setTimeout(() => stream.end(), Math.min(endsAt * 1_000 - Date.now(), longestMs)).unref()
      const leave = () => {
        clearTimeout(timer)
        giveBack()
        rounds.leave(member)
      }
      const member: Member = { userId, caseId, stream, told: 0, isOpen: false, missed: new Map(), leave }
      rounds.join(member)
      whenOver(request, reply, leave)
      const begin = async () => {
        await rounds.ready()
        return fill(member, subscription.lastEventId)
      }
      member.told = await withinMs(openMs, begin())
      member.isOpen = true
      if (member.missed.size > 0) rounds.wake()
      return stream.body
    },

    /** Ends all streams. */
    end(): void {
      clearInterval(heartbeat)
      rounds.end()
    },

    /** Resolves when nothing of it uses the database any more. */
    close: () => rounds.close(),
  }
}
