import { type ReadonlySignal, signal } from '@preact/signals'

/** Where the recording of a session is, shared by its player, script and report. */
export interface Playback {
  /** The second that is shown. */
  seconds: ReadonlySignal<number>
  isPlaying: ReadonlySignal<boolean>
  /** Shows another second; the player goes on playing if it did. */
  seek(second: number): void
  toggle(): void
  /** Called by the player, which alone knows. */
  attach(video: HTMLVideoElement): () => void
}

/** A playback without a player; before one is attached, the last `seek` is kept for it. */
export function createPlayback(): Playback {
  const seconds = signal(0)
  const isPlaying = signal(false)
  let video: HTMLVideoElement | undefined
  let wanted: number | undefined
  return {
    seconds,
    isPlaying,
    seek(second) {
      if (video) video.currentTime = second
      else wanted = second
      seconds.value = second
    },
    toggle() {
      if (video?.paused) video.play().catch(() => {})
      else video?.pause()
    },
    attach(element) {
      const listeners = new AbortController()
      const { signal: ended } = listeners
      const show = () => {
        seconds.value = element.currentTime
        isPlaying.value = !element.paused
      }
      for (const event of ['timeupdate', 'seeking', 'seeked', 'play', 'pause', 'ended'])
        element.addEventListener(event, show, { signal: ended })
      video = element
      if (wanted !== undefined) element.currentTime = wanted
      wanted = undefined
      return () => {
        listeners.abort()
        video = undefined
      }
    },
  }
}
