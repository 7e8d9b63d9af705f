import type { PlaybackLinks } from '@playtherapy/client'
import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { Notice } from '../../parts/notice.tsx'
import { language } from '../../texts/language.ts'
import { texts } from '../../texts/session.ts'
import { clock } from '../clock.ts'
import type { Playback } from '../playback.ts'
import { Buttons } from './buttons.tsx'
import { type Controls, createControls } from './controls-state.ts'
import { listenToKeys } from './keys.ts'
import type { Links } from './links.ts'
import { SeekBar } from './seek-bar.tsx'
import { createSource, type Source } from './source.ts'
import { readTiles, type Tiles } from './storyboard.ts'

/** Plays the recording of a session. More of it may follow as long as `isGrowing`. */
export function Player({
  links,
  playback,
  isGrowing,
  scriptVersion,
}: {
  links: Links
  playback: Playback
  isGrowing: boolean
  scriptVersion: number | undefined
}) {
  const box = useRef<HTMLDivElement>(null)
  const video = useRef<HTMLVideoElement>(null)
  const source = useRef<Source | null>(null)
  const growing = useRef(isGrowing)
  growing.current = isGrowing
  const controls = useSignal<Controls | undefined>(undefined)
  const opened = useSignal<PlaybackLinks | undefined>(undefined)
  const other = useSignal<PlaybackLinks | undefined>(undefined)
  const tiles = useSignal<Tiles | undefined>(undefined)

  useEffect(() => {
    const [element, around] = [video.current, box.current]
    if (!element || !around) return
    const detach = playback.attach(element, () => growing.current)
    const own = createControls(element, around, playback)
    const quit = listenToKeys(around, own)
    const shown = createSource(element, {
      place: () => playback.seconds.peek(),
      onLost: links.fail,
      onOpen(newer, second) {
        opened.value = newer
        other.value = undefined
        playback.seek(second)
      },
      onOther(newer) {
        other.value = newer
      },
    })
    element.addEventListener('timeupdate', links.succeed)
    controls.value = own
    source.current = shown
    return () => {
      quit()
      own.close()
      detach()
      shown.close()
      element.removeEventListener('timeupdate', links.succeed)
    }
  }, [playback, links])

  const newest = links.current.value
  useEffect(() => {
    if (newest) source.current?.show(newest)
  }, [newest])

  const { poster, storyboard } = (newest?.video_id === opened.value?.video_id ? newest : opened.value) ?? {}
  const captions = newest?.captions
  const awaited = playback.awaited.value
  const replacement = other.value
  return (
    <section class="player" aria-label={texts.player}>
      <div class="box" ref={box}>
        <div class="picture">
          <video
            ref={video}
            playsInline
            preload="metadata"
            tabIndex={-1}
            onClick={playback.toggle}
            {...(poster && { poster })}
          >
            {captions && (
              <track
                key={`captions-${scriptVersion}-${captions}`}
                kind="captions"
                src={captions}
                srclang={language.value}
                label={texts.captions}
                ref={(track) => controls.peek()?.setTrack(track?.track)}
              />
            )}
            {storyboard && (
              <track
                key={storyboard}
                kind="metadata"
                src={storyboard}
                ref={(track) => {
                  if (track) track.track.mode = 'hidden'
                }}
                onLoad={({ currentTarget }) => {
                  tiles.value = readTiles(currentTarget.track, storyboard)
                }}
              />
            )}
          </video>
          {controls.value?.isStalled.value && <p class="stalled">{isGrowing ? texts.waitsForMore : texts.loads}</p>}
        </div>
        {controls.value && (
          <div class="controls">
            <SeekBar
              playback={playback}
              controls={controls.value}
              tiles={tiles.value?.address === storyboard ? tiles.value : undefined}
            />
            <Buttons playback={playback} controls={controls.value} hasTrack={Boolean(captions)} />
          </div>
        )}
      </div>
      {awaited !== undefined && (
        <Notice>
          <p>{texts.awaits(clock(awaited))}</p>
          <button type="button" onClick={playback.stopWaiting}>
            {texts.stay}
          </button>
        </Notice>
      )}
      {replacement && (
        <Notice>
          <p>{texts.replaced}</p>
          <button type="button" onClick={() => source.current?.show(replacement, true)}>
            {texts.showNewer}
          </button>
        </Notice>
      )}
      {links.failure.value !== undefined && <Notice failure={links.failure.value} onRetry={links.renew} />}
    </section>
  )
}
