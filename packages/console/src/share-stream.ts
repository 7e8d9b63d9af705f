import type { SessionNews } from '@playtherapy/client'

/** A message of the stream of events. */
export interface Said {
  connection?: 'connecting' | 'open' | 'lost'
  news?: SessionNews
  isReset?: boolean
  /** The id of the last event, up to which nothing was missed. */
  id?: string | undefined
}

interface Sharing {
  ended: AbortSignal
  /** Called with each message of the tab that has the stream. */
  hear(said: Said): void
  /** The present state of the stream, for a tab that was just opened. */
  now(): Said
  /** Follows the stream in this tab until `ended`, and passes its messages to the other tabs by `tell`. */
  follow(tell: (said: Said) => void, ended: AbortSignal): Promise<void>
}

/**
 * Lets all tabs of a therapist share one stream. A browser opens at most six connections to a server of HTTP/1.1, so with one stream for
 * each tab the seventh tab would not load. A lock of the browser gives the stream to one tab at a time, and the next tab continues from
 * the last id. Locks exist only on pages that were loaded by HTTPS or from this machine; elsewhere each tab has a stream of its own.
 */
export async function shareStream(name: string, { ended, hear, now, follow }: Sharing): Promise<void> {
  // Locks and channels are missing in old browsers, and where pages may not store anything.
  if (!navigator.locks || typeof BroadcastChannel === 'undefined') return follow(() => {}, ended)
  const channel = new BroadcastChannel(name)
  ended.addEventListener('abort', () => channel.close())
  const tell = (said: Said) => {
    if (!ended.aborted) channel.postMessage(said)
  }
  let hasStream = false
  channel.onmessage = ({ data }: MessageEvent<Said | 'hello'>) => {
    if (data !== 'hello') hear(data)
    else if (hasStream) tell(now())
  }
  channel.postMessage('hello')
  try {
    await navigator.locks.request(name, { signal: ended }, () => {
      hasStream = true
      return follow(tell, ended)
    })
  } catch {
    if (!ended.aborted) await follow(() => {}, ended)
  }
}
