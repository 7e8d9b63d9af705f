import type { PlaybackLinks } from '@playtherapy/client'
import type HlsPlayer from 'hls.js'
import { loadHls, pageFault } from '../../late-parts.ts'
import { endSoon } from './links.ts'

export interface Source {
  /**
   * Opens the recording, or goes over to these links where that is better, at the same second. Where they are for another
   * recording than the one that is watched, `isAccepted` says that it may take its place.
   */
  show(links: PlaybackLinks, isAccepted?: boolean): void
  close(): void
}

interface Options {
  /** The second at which it goes on. */
  place(): number
  /** Called when what was opened plays no more, and newer links may help. */
  onLost(): void
  /** Called when a source is opened, with the second that it should show; links without any say that there is nothing to play. */
  onOpen(links: PlaybackLinks, second: number): void
  /** Called with links of another recording, while one is watched. */
  onOther(links: PlaybackLinks): void
}

type Kind = 'mp4' | 'hls.js' | 'native'

/** Phones of Apple play HLS themselves, also long recordings, of whose MP4 they may show nothing. */
const hasMediaSource = 'MediaSource' in globalThis

function choose({ mp4, hls }: PlaybackLinks): { kind: Kind; url: string } | undefined {
  if (!hasMediaSource && hls) return { kind: 'native', url: hls }
  if (mp4) return { kind: 'mp4', url: mp4 }
  return hls ? { kind: 'hls.js', url: hls } : undefined
}

const tokenPart = /^(.*\/playback\/)[^/]+(?=\/)/

/**
 * What a video element plays. While a recording is encoded that is HLS, and MP4 afterwards; it goes over when nobody watches, because
 * the picture stands still for a moment then.
 */
export function createSource(video: HTMLVideoElement, { place, onLost, onOpen, onOther }: Options): Source {
  const listeners = new AbortController()
  const { signal } = listeners
  let links: PlaybackLinks | undefined
  let opened: { kind: Kind; links: PlaybackLinks } | undefined
  let hls: HlsPlayer | undefined
  let isLost = false
  /** Media errors that hls.js was asked to mend since something was shown. */
  let mended = 0

  function lose() {
    isLost = true
    onLost()
  }

  function release() {
    hls?.destroy()
    hls = undefined
    opened = undefined
    isLost = false
  }

  async function openHls() {
    const { default: Hls } = await loadHls()
    if (signal.aborted || opened?.kind !== 'hls.js' || hls) return
    const second = place()
    const own = new Hls({
      startPosition: second,
      // The worker would come from a blob, which the content security policy forbids; nothing has to be repacked here.
      enableWorker: false,
      // Captions are a track of the element, so that they are the same with every source.
      renderTextTracksNatively: false,
      backBufferLength: 90,
      // Newer links of the same recording take the place of the older ones without a break.
      xhrSetup(xhr, url) {
        const token = tokenPart.exec(links?.hls ?? '')?.[0]
        xhr.open('GET', token ? new URL(url).pathname.replace(tokenPart, token) : url, true)
      },
    })
    hls = own
    own.on(Hls.Events.ERROR, (_, { type, fatal, response }) => {
      if (!fatal) {
        if (response?.code === 404) onLost()
      } else if (type === Hls.ErrorTypes.MEDIA_ERROR && mended < 2) {
        mended += 1
        own.recoverMediaError()
      } else lose()
    })
    own.loadSource(new URL(links?.hls ?? '', location.href).href)
    own.attachMedia(video)
  }

  function open() {
    if (!links) return
    const next = choose(links)
    const isSame = opened === undefined || opened.links.video_id === links.video_id
    const second = isSame ? place() : 0
    const wasPlaying = !video.paused && !video.ended
    const { playbackRate } = video
    release()
    // Its length and place are not those of the next one.
    video.removeAttribute('src')
    video.load()
    onOpen(links, second)
    if (!next) return
    opened = { kind: next.kind, links }
    const ready = next.kind === 'hls.js' ? openHls() : Promise.resolve()
    if (next.kind !== 'hls.js') video.src = next.url
    video.defaultPlaybackRate = playbackRate
    ready
      .then(() => (wasPlaying ? video.play() : undefined))
      .catch((error: unknown) => {
        // Newer links are of no use to a page that cannot get its player; its header says what to do.
        if (!(error instanceof DOMException) && !pageFault.peek()) lose()
      })
  }

  /** Whether what is opened should give way, once nobody watches. */
  function isOutdated() {
    const next = links && choose(links)
    if (!opened || !links || !next) return true
    return next.kind !== opened.kind || (next.kind !== 'hls.js' && endSoon(opened.links))
  }

  video.addEventListener('error', () => opened && lose(), { signal })
  video.addEventListener('pause', () => isOutdated() && links && open(), { signal })
  video.addEventListener(
    'timeupdate',
    () => {
      mended = 0
    },
    { signal },
  )
  return {
    show(newer, isAccepted = false) {
      const isOther = opened?.links.video_id !== newer.video_id
      const isWatched = opened !== undefined && !isLost && (place() > 0 || !video.paused)
      if (isOther && isWatched && newer.video_id !== null && !isAccepted) return onOther(newer)
      links = newer
      if (isLost || isOther || (isOutdated() && (video.paused || video.ended))) open()
    },
    close() {
      listeners.abort()
      release()
      video.removeAttribute('src')
      video.load()
    },
  }
}
