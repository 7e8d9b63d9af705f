import type { SessionNews } from '@playtherapy/client'

/** What the stream of events has said. */
export interface Said {
  connection?: 'connecting' | 'open' | 'lost'
  news?: SessionNews
  isReset?: boolean
  /** The id up to which everything is told now. */
  id?: string | undefined
}

interface Sharing {
  ended: AbortSignal
  /** Takes in what the tab that has the stream tells. */
  hear(said: Said): void
  /** How it stands in this tab, for one that has just been opened. */
  now(): Said
  /** Has the stream, and tells the others what it says, until `ended`. */
  follow(tell: (said: Said) => void, ended: AbortSignal): Promise<void>
}

/**
 * Lets all tabs of a therapist share one stream: a browser has six connections to a server of HTTP/1.1, so with a stream each,
 * the seventh tab would not even load. One tab at a time has it, by a lock of the browser, and the next one goes on from the
 * last id. Browsers have locks only on pages that came by HTTPS or from this machine; elsewhere each tab has its own.
 */
export async function shareStream(name: string, { ended, hear, now, follow }: Sharing): Promise<void> {
  // An old browser, or one that gives no page any storage, has neither.
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
