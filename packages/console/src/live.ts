import { ApiFailure, readBlocks, type SessionNews } from '@playtherapy/client'
import { effect, type ReadonlySignal, type Signal, signal } from '@preact/signals'
import { claims, isOnlyOperator, noteRefusal, refused, token } from './account.ts'
import { api } from './api.ts'

/** A stream says something every 15 s; one that says nothing for so long is dead. */
const silentMs = 40_000
/** A tab that nobody sees gives its stream back after so long: a browser has six connections to a server of HTTP/1.1. */
const hiddenMs = 30_000
/** Pauses between attempts while nobody answers. */
const [shortestPauseMs, longestPauseMs] = [1_000, 15_000]
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

function forget(): void {
  for (const news of known.values()) news.value = undefined
  missed.value++
}

function tell(news: SessionNews): void {
  const last = known.get(news.session_id)
  if (last) last.value = news
  for (const listener of listeners) listener(news)
}

/** Where the stream of who is signed in goes on. */
let lastId: string | undefined
let pauseMs = shortestPauseMs

/** Reads one stream to its end. Throws where it cannot be opened, or breaks. */
async function readStream(ended: AbortSignal): Promise<void> {
  const silence = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const listen = () => {
    clearTimeout(timer)
    timer = setTimeout(() => silence.abort(), silentMs)
  }
  listen()
  try {
    const stop = AbortSignal.any([ended, silence.signal])
    const response = await api.events.stream(lastId === undefined ? {} : { 'last-event-id': lastId }, { signal: stop })
    if (!response.body) return
    for await (const { event, data, id, retry } of readBlocks(response.body, listen)) {
      state.value = 'open'
      if (retry !== undefined) pauseMs = retry
      if (event === 'session') tell(JSON.parse(data))
      if (event === 'reset') forget()
      if (id !== undefined) lastId = id
    }
  } finally {
    clearTimeout(timer)
  }
}

/** Follows what changes until `ended`: one stream after the other. */
async function follow(ended: AbortSignal): Promise<void> {
  let failures = 0
  while (!ended.aborted) {
    state.value = failures > 0 ? 'lost' : 'connecting'
    let waitMs = pauseMs
    try {
      await readStream(ended)
      failures = 0
    } catch (error) {
      if (ended.aborted) return
      noteRefusal(error)
      if (refused.value) return
      failures = state.peek() === 'open' ? 1 : failures + 1
      const told = error instanceof ApiFailure ? (error.retryAfter ?? 0) * 1_000 : 0
      waitMs = Math.max(told, Math.min(longestPauseMs, shortestPauseMs * 2 ** (failures - 1)))
    }
    if (failures > 0) state.value = 'lost'
    await woken(ended, waitMs)
  }
}

/** Resolves after a pause, and at once when the network is back or the tab is seen again. */
function woken(ended: AbortSignal, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const over = new AbortController()
    const end = () => {
      over.abort()
      clearTimeout(timer)
      resolve()
    }
    const timer = setTimeout(end, ms)
    addEventListener('online', end, { signal: over.signal })
    addEventListener('pageshow', end, { signal: over.signal })
    ended.addEventListener('abort', end, { signal: over.signal })
  })
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

// Who is signed in next knows nothing of what was told before.
let follower: number | undefined
effect(() => {
  if (token.value === null || isOnlyOperator.value || refused.value !== null || !isSeen.value) return
  const userId = claims.value?.user_id
  if (userId !== follower) {
    follower = userId
    lastId = undefined
    known.clear()
  }
  const ended = new AbortController()
  follow(ended.signal)
  return () => {
    ended.abort()
    state.value = 'connecting'
  }
})
