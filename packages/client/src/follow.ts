import { readBlocks } from './event-stream.ts'
import { ApiFailure, NetworkFailure } from './failures.ts'
import type { Api } from './generated/operations.gen.ts'
import type { SessionNews } from './generated/types.gen.ts'

/** The server sends something every 15 s. A stream that is silent for longer than this is dead. */
const silentMs = 40_000
/** How often the silence is measured. */
const lookMs = 2_000
/** The shortest and the longest pause between attempts. */
const [shortestPauseMs, longestPauseMs] = [1_000, 30_000]

export interface Following {
  signal: AbortSignal
  /** Its event `online` ends a pause; such as `window`. */
  network?: EventTarget
  /** Follows this case alone. */
  case_id?: number
  /** The last id that an earlier call has received; the stream continues after it. */
  lastEventId?: string | undefined
  /** Called with the present state of a session; `id` is for `lastEventId`. */
  onNews(news: SessionNews, id: string | undefined): void
  /** Called when events were missed: load again whatever is shown. */
  onReset(): void
  /** Called when the stream is open. All later changes arrive as events; `id` is for `lastEventId`. */
  onOpen?(id: string | undefined): void
  /** Called when the stream is lost. The next one is opened after a pause. */
  onLost?(reason: unknown): void
}

/**
 * Follows the events until the signal is aborted: it opens one stream after the other, each after the last event of the one before. Rejects
 * with `ApiFailure` if a further stream would be refused, too: the token has expired, or the case does not exist.
 */
export async function follow({ events }: Pick<Api, 'events'>, following: Following): Promise<void> {
  const { signal, network, case_id, onNews, onReset, onOpen, onLost } = following
  let { lastEventId } = following
  let pauseMs = shortestPauseMs
  let failures = 0
  while (!signal.aborted) {
    const silence = new AbortController()
    let heardAt = Date.now()
    const listen = () => {
      heardAt = Date.now()
    }
    // Timers stop while a machine sleeps, but its clock does not. A stream that died meanwhile is noticed at once.
    const timer = setInterval(() => {
      if (Date.now() - heardAt > silentMs) silence.abort(new NetworkFailure('The stream of events is silent'))
    }, lookMs)
    let waitMs = pauseMs
    try {
      const request = {
        ...(case_id !== undefined && { case_id }),
        ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
      }
      const { body } = await events.stream(request, { signal: AbortSignal.any([signal, silence.signal]) })
      if (!body) throw new NetworkFailure('The stream of events is empty')
      let isOpen = false
      for await (const { event, data, id, retry } of readBlocks(body, listen)) {
        failures = 0
        if (retry !== undefined) waitMs = pauseMs = retry
        // An empty id resets the last one.
        if (id !== undefined) lastEventId = id || undefined
        if (!isOpen) onOpen?.(lastEventId)
        isOpen = true
        if (event === 'session') onNews(JSON.parse(data), lastEventId)
        if (event === 'reset') onReset()
      }
      onLost?.(undefined)
    } catch (error) {
      if (signal.aborted) return
      const { status = 0, retryAfter = 0 } = error instanceof ApiFailure ? error : {}
      if (status >= 400 && status < 500 && status !== 408 && status !== 429) throw error
      onLost?.(error)
      const backoff = Math.min(longestPauseMs, shortestPauseMs * 2 ** failures++)
      waitMs = Math.max(retryAfter * 1_000, pauseMs, backoff * (0.5 + Math.random() / 2))
    } finally {
      clearInterval(timer)
    }
    await pause(waitMs, signal, network)
  }
}

/** Resolves after a pause, or at once when the signal is aborted or the network is back. */
function pause(ms: number, signal: AbortSignal, network?: EventTarget): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      network?.removeEventListener('online', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
    network?.addEventListener('online', end)
  })
}
