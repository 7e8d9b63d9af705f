import { ApiFailure, follow, type SessionNews } from '@playtherapy/client'
import { effect, type ReadonlySignal, type Signal, signal } from '@preact/signals'
import { isOnlyOperator, noteRefusal, refused, token, userId } from './account.ts'
import { api } from './api.ts'
import { type Said, shareStream } from './share-stream.ts'

/** A tab that nobody sees gives its stream back after so long. */
const hiddenMs = 30_000
/** Views wait so long for the stream before they load what they show. */
const openMs = 2_000

export type Connection = 'connecting' | 'open' | 'lost'
const state = signal<Connection>('connecting')
/** Whether news arrive. */
export const connection: ReadonlySignal<Connection> = state

const missed = signal(0)
/** Rises where events were missed: what is shown has to be read anew, as `useLoad` does by itself. */
export const resets: ReadonlySignal<number> = missed

const known = new Map<number, Signal<SessionNews | undefined>>()
/** The last news of a session; undefined before there were any. */
export function newsOf(sessionId: number): ReadonlySignal<SessionNews | undefined> {
  const news = known.get(sessionId) ?? signal<SessionNews | undefined>(undefined)
  known.set(sessionId, news)
  return news
}

const listeners = new Set<(news: SessionNews) => void>()
/** Calls `listener` with all news. Returns what ends that. */
export function onNews(listener: (news: SessionNews) => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Resolves when the stream is open, or does not open soon: what changes afterwards is told. */
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

/** Up to where the therapist who is signed in was told everything. */
let lastEventId: string | undefined

/** Takes in what the stream has said, here or in another tab. */
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

/** Follows what changes, for this tab and, by `tell`, for the others of this therapist. */
async function followFor(tell: (said: Said) => void, ended: AbortSignal): Promise<void> {
  const say = (said: Said) => {
    hear(said)
    tell(said)
  }
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
    if (error instanceof ApiFailure) noteRefusal(error)
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
  if (token.value === null || isOnlyOperator.value || refused.value !== null || !isSeen.value) return
  // Who is signed in next knows nothing of what was told before.
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
