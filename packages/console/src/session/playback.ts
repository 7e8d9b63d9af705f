import { type ReadonlySignal, signal } from '@preact/signals'

/** Where the recording of a session is, shared by its player, script and report. */
export interface Playback {
  /** The second that is shown. */
  seconds: ReadonlySignal<number>
  isPlaying: ReadonlySignal<boolean>
  /** A second that was asked for and is not encoded yet; it is shown as soon as it is there. */
  awaited: ReadonlySignal<number | undefined>
  /** Shows another second; the player goes on playing if it did. */
  seek(second: number): void
  toggle(): void
  /** Stays where it is in place of waiting for a second. */
  stopWaiting(): void
  /** Called by the player, which alone knows. More of the recording may follow as long as `isGrowing` says so. */
  attach(video: HTMLVideoElement, isGrowing: () => boolean): () => void
}

/** The last second that a video can show now. */
export function endOf({ seekable }: HTMLVideoElement): number {
  return seekable.length > 0 ? seekable.end(seekable.length - 1) : 0
}

/** A playback without a player; before one has opened the recording, the last `seek` is kept for it. */
export function createPlayback(): Playback {
  const seconds = signal(0)
  const isPlaying = signal(false)
  const awaited = signal<number>()
  let player: { video: HTMLVideoElement; isGrowing: () => boolean } | undefined
  let wanted: number | undefined

  function seek(second: number) {
    const target = Math.max(0, second)
    const { video, isGrowing } = player ?? {}
    awaited.value = undefined
    wanted = undefined
    if (!video || video.readyState === HTMLMediaElement.HAVE_NOTHING) wanted = target
    else if (isGrowing?.() && target > endOf(video)) {
      awaited.value = target
      return
    } else video.currentTime = target
    seconds.value = target
  }

  return {
    seconds,
    isPlaying,
    awaited,
    seek,
    stopWaiting: () => {
      awaited.value = undefined
    },
    toggle() {
      const video = player?.video
      if (video?.paused) video.play().catch(() => {})
      else video?.pause()
    },
    attach(video, isGrowing) {
      const listeners = new AbortController()
      const on = (events: string[], listen: () => void) => {
        for (const event of events) video.addEventListener(event, listen, { signal: listeners.signal })
      }
      player = { video, isGrowing }
      on(['timeupdate', 'seeking', 'seeked', 'play', 'pause', 'ended'], () => {
        isPlaying.value = !video.paused
        // Between two sources the element is at 0, and the recording is not.
        if (video.readyState > HTMLMediaElement.HAVE_NOTHING && wanted === undefined) seconds.value = video.currentTime
      })
      on(['loadedmetadata'], () => wanted !== undefined && seek(wanted))
      on(['durationchange', 'progress'], () => {
        const { value } = awaited
        if (value !== undefined && (value <= endOf(video) || !isGrowing())) seek(Math.min(value, endOf(video)))
      })
      if (wanted !== undefined) seek(wanted)
      return () => {
        listeners.abort()
        wanted = seconds.value
        isPlaying.value = false
        player = undefined
      }
    },
  }
}
