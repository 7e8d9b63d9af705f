import { ApiFailure, follow, type SessionNews } from '@playtherapy/client'
import { effect, type ReadonlySignal, type Signal, signal } from '@preact/signals'
import { isOnlyOperator, token, tokenRefusal, userId } from './account.ts'
import { api } from './api.ts'
import { type Said, shareStream } from './share-stream.ts'

/** A hidden tab closes its stream after this time. */
const hiddenMs = 30_000
/** The pause after a refusal that is not of the token, such as of a proxy while the services are renewed. */
const refusedMs = 30_000
/** Views wait at most so long for the stream before they load their data. */
const openMs = 2_000

export type Connection = 'connecting' | 'open' | 'lost'
const state = signal<Connection>('connecting')
/** The state of the stream of events. */
export const connection: ReadonlySignal<Connection> = state

const missed = signal(0)
/** Rises when events were missed. Views then have to load their data again; `useLoad` does so by itself. */
export const resets: ReadonlySignal<number> = missed

const known = new Map<number, Signal<SessionNews | undefined>>()
/** The last event of a session; undefined before the first one. */
export function newsOf(sessionId: number): ReadonlySignal<SessionNews | undefined> {
  const news = known.get(sessionId) ?? signal<SessionNews | undefined>(undefined)
  known.set(sessionId, news)
  return news
}

const listeners = new Set<(news: SessionNews) => void>()
/** Calls `listener` with every event. Returns a function that ends this. */
export function onNews(listener: (news: SessionNews) => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Resolves when the stream is open or takes too long to open. Later changes arrive as events. */
export async function followed(): Promise<void> {
  if (state.value !== 'connecting') return
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, openMs)
    const stop = state.subscribe((now) => {
      if (now === 'connecting') return
      clearTimeout(timer)
      resolve()
      queueMicrotask(() => stop())
    })
  })
}

/** The id of the last event that this therapist has received. */
let lastEventId: string | undefined

/** Handles a message of the stream, which this tab or another one has open. */
function hear({ connection: now, news, isReset, id }: Said): void {
  if (now) state.value = now
  if (id !== undefined) lastEventId = id
  if (isReset) {
    for (const each of known.values()) each.value = undefined
    missed.value++
  }
  if (!news) return
  const last = known.get(news.session_id)
  if (last) last.value = news
  for (const listener of listeners) listener(news)
}

/** Follows the events for this tab, and passes them to the other tabs of this therapist by `tell`. */
async function followFor(tell: (said: Said) => void, ended: AbortSignal): Promise<void> {
  const say = (said: Said) => {
    hear(said)
    tell(said)
  }
  while (!ended.aborted) {
    try {
      await follow(api, {
        signal: ended,
        network: window,
        lastEventId,
        onOpen: (id) => say({ connection: 'open', id }),
        onLost: (reason) => say({ connection: reason === undefined ? 'connecting' : 'lost' }),
        onNews: (news, id) => say({ news, id }),
        onReset: () => say({ isReset: true }),
      })
    } catch (error) {
      // The token was refused: the page asks for another one, and follows with that.
      if (error instanceof ApiFailure && error.status === 401) return
      say({ connection: 'lost' })
      await new Promise((resolve) => {
        setTimeout(resolve, refusedMs)
        ended.addEventListener('abort', resolve)
      })
    }
  }
}

const isSeen = signal(document.visibilityState === 'visible')
let hiding: ReturnType<typeof setTimeout> | undefined
document.addEventListener('visibilitychange', () => {
  clearTimeout(hiding)
  if (document.visibilityState === 'visible') isSeen.value = true
  else
    hiding = setTimeout(() => {
      isSeen.value = false
    }, hiddenMs)
})

let follower: number | undefined
effect(() => {
  if (token.value === null || isOnlyOperator.value || tokenRefusal.value !== null || !isSeen.value) return
  // The events of one therapist must not be shown to the next one.
  if (userId.value !== follower) {
    follower = userId.value
    lastEventId = undefined
    known.clear()
  }
  const ended = new AbortController()
  shareStream(`playtherapy.events.${follower}`, {
    ended: ended.signal,
    hear,
    now: () => ({ connection: state.peek(), id: lastEventId }),
    follow: followFor,
  })
  return () => {
    ended.abort()
    state.value = 'connecting'
  }
})
