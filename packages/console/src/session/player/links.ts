import type { PlaybackLinks } from '@playtherapy/client'
import { type ReadonlySignal, signal, untracked } from '@preact/signals'
import { serverTime } from '../../server-time.ts'

export interface Links {
  /** The newest links; undefined until the first have come. */
  current: ReadonlySignal<PlaybackLinks | undefined>
  /** Why there are no newer ones at the moment. They are asked for again by themselves. */
  failure: ReadonlySignal<unknown>
  /** Asks for new ones, because something has changed. */
  renew(): void
  /** Asks for new ones, because these open nothing: with longer and longer pauses until `succeed` is called. */
  fail(): void
  succeed(): void
  close(): void
}

/** New links are asked for so long before the old ones end. */
const spareMs = 300_000
/** The shortest time between two requests for links that play. */
const leastMs = 60_000
/** The most that a timer of a browser can wait. */
const mostMs = 2 ** 31 - 1
const mostPauseMs = 30_000

/** Whether links end soon, so that a player should go over to newer ones. */
export const endSoon = ({ expires_at }: PlaybackLinks) => Date.parse(expires_at) - serverTime() < spareMs

/** Keeps signed links by which the recording of a session plays, and renews them before they end. */
export function keepLinks(ask: (signal: AbortSignal) => Promise<PlaybackLinks>): Links {
  const current = signal<PlaybackLinks>()
  const failure = signal<unknown>()
  const closed = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  let failures = 0
  let isAsking = false
  let isWantedAgain = false

  function later(ms: number) {
    clearTimeout(timer)
    timer = setTimeout(renew, Math.min(ms, mostMs))
  }
  const pauseMs = () => (failures === 0 ? 0 : Math.min(500 * 2 ** failures, mostPauseMs))

  async function renew() {
    if (closed.signal.aborted) return
    // What has changed while an answer was under way may not be in it.
    if (isAsking) {
      isWantedAgain = true
      return
    }
    isAsking = true
    isWantedAgain = false
    try {
      const links = await ask(closed.signal)
      if (closed.signal.aborted) return
      failure.value = undefined
      current.value = links
      later(Math.max(Date.parse(links.expires_at) - serverTime() - spareMs / 2, leastMs))
    } catch (error) {
      if (closed.signal.aborted) return
      failure.value = error
      failures += 1
      later(pauseMs())
    } finally {
      isAsking = false
      if (isWantedAgain) later(0)
    }
  }

  const atOnce = () => failure.peek() !== undefined && later(0)
  addEventListener('online', atOnce)
  return {
    current,
    failure,
    renew: () => untracked(() => void renew()),
    fail() {
      later(pauseMs())
      failures += 1
    },
    succeed() {
      failures = 0
    },
    close() {
      closed.abort()
      clearTimeout(timer)
      removeEventListener('online', atOnce)
    },
  }
}
