import { type ReadonlySignal, signal } from '@preact/signals'
import { endOf, type Playback } from '../playback.ts'
import { followFrames } from './frames.ts'
import { remember, remembered } from './remembered.ts'

export const speeds = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2]

/** What buttons and keys do with a player, and what they show. */
export interface Controls {
  /** The last second that can be shown now. */
  end: ReadonlySignal<number>
  speed: ReadonlySignal<number>
  volume: ReadonlySignal<number>
  isMuted: ReadonlySignal<boolean>
  hasCaptions: ReadonlySignal<boolean>
  isFull: ReadonlySignal<boolean>
  /** Whether it would play, and waits for the recording. */
  isStalled: ReadonlySignal<boolean>
  toggle(): void
  skip(seconds: number): void
  step(direction: 1 | -1): void
  jump(part: number): void
  setSpeed(speed: number): void
  setVolume(volume: number): void
  toggleSound(): void
  toggleCaptions(): void
  toggleFull(): void
  /** Shows captions in this track, if they are on. */
  setTrack(track: TextTrack | undefined): void
  close(): void
}

export function createControls(video: HTMLVideoElement, box: HTMLElement, playback: Playback): Controls {
  const listeners = new AbortController()
  const on = (target: EventTarget, events: string[], listen: () => void) => {
    for (const event of events) target.addEventListener(event, listen, { signal: listeners.signal })
  }
  const [end, speed, volume] = [signal(0), signal(1), signal(1)]
  const [isMuted, isFull, isStalled] = [signal(false), signal(false), signal(false)]
  const hasCaptions = signal(remembered('captions') === 'on')
  const frames = followFrames(video)
  let track: TextTrack | undefined

  on(video, ['durationchange', 'progress', 'loadedmetadata', 'timeupdate'], () => {
    // Between two sources it stays what it was.
    if (video.readyState > HTMLMediaElement.HAVE_NOTHING) end.value = endOf(video)
  })
  on(video, ['ratechange'], () => {
    speed.value = video.playbackRate
  })
  on(video, ['volumechange'], () => {
    volume.value = video.volume
    isMuted.value = video.muted
  })
  on(video, ['waiting', 'playing', 'pause', 'timeupdate', 'seeked'], () => {
    isStalled.value = !video.paused && !video.ended && video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA
  })
  on(document, ['fullscreenchange'], () => {
    isFull.value = document.fullscreenElement === box
  })
  const showCaptions = () => {
    if (track) track.mode = hasCaptions.value ? 'showing' : 'disabled'
  }

  return {
    ...{ end, speed, volume, isMuted, hasCaptions, isFull, isStalled },
    toggle: playback.toggle,
    skip(seconds) {
      const { value } = playback.seconds
      // Somebody who skips ahead wants to see the newest, and not to wait.
      playback.seek(Math.min(value + seconds, Math.max(end.value, value)))
    },
    step(direction) {
      video.pause()
      playback.seek(Math.min(frames.step(direction), end.value))
    },
    jump: (part) => playback.seek(end.value * part),
    setSpeed(value) {
      video.defaultPlaybackRate = value
      video.playbackRate = value
    },
    setVolume(value) {
      video.volume = Math.min(1, Math.max(0, value))
      video.muted = video.volume === 0
    },
    toggleSound() {
      video.muted = !video.muted
      if (!video.muted && video.volume === 0) video.volume = 1
    },
    toggleCaptions() {
      hasCaptions.value = !hasCaptions.value
      remember('captions', hasCaptions.value ? 'on' : 'off')
      showCaptions()
    },
    toggleFull() {
      if (document.fullscreenElement) void document.exitFullscreen()
      else if (box.requestFullscreen) box.requestFullscreen().catch(() => {})
      // Phones of Apple show only the video itself on the whole screen.
      else Reflect.get(video, 'webkitEnterFullscreen')?.call(video)
    },
    setTrack(shown) {
      track = shown
      showCaptions()
    },
    close() {
      listeners.abort()
      frames.stop()
    },
  }
}
