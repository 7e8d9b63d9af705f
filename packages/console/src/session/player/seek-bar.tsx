import { useSignal } from '@preact/signals'
import { texts } from '../../texts/session.ts'
import { clock } from '../clock.ts'
import type { Playback } from '../playback.ts'
import type { Controls } from './controls-state.ts'
import { skipSeconds } from './keys.ts'
import type { Tiles } from './storyboard.ts'

/** Width of the round handle, in CSS pixels, which does not leave the bar. */
const handlePixels = 16

/** The bar on which the recording is at its second, with a small picture of what is where somebody points. */
export function SeekBar({
  playback,
  controls,
  tiles,
}: {
  playback: Playback
  controls: Controls
  tiles: Tiles | undefined
}) {
  const pointed = useSignal<number | undefined>(undefined)
  const isFocused = useSignal(false)
  const end = controls.end.value
  const seconds = Math.min(playback.seconds.value, end)
  const looked = pointed.value ?? (isFocused.value ? seconds : undefined)

  function secondAt({ clientX, currentTarget }: PointerEvent & { currentTarget: HTMLInputElement }) {
    const { left, width } = currentTarget.getBoundingClientRect()
    const part = (clientX - left - handlePixels / 2) / Math.max(1, width - handlePixels)
    return Math.min(1, Math.max(0, part)) * end
  }
  function move(event: KeyboardEvent) {
    const steps: Record<string, number> = {
      ...{ ArrowLeft: -skipSeconds, ArrowDown: -skipSeconds, ArrowRight: skipSeconds, ArrowUp: skipSeconds },
      ...{ PageDown: -60, PageUp: 60 },
    }
    const step = steps[event.key]
    if (step === undefined || event.ctrlKey || event.altKey || event.metaKey) return
    event.preventDefault()
    controls.skip(step)
  }
  /** A pointer shows the place that it points at; who comes by the keyboard sees the one that the bar is at. */
  function look({ currentTarget }: { currentTarget: HTMLInputElement }) {
    isFocused.value = currentTarget.matches(':focus-visible')
  }
  return (
    <div class="seek">
      {looked !== undefined && end > 0 && <Look second={looked} part={looked / end} tiles={tiles} />}
      <input
        type="range"
        data-seek
        min={0}
        max={end}
        step="any"
        value={seconds}
        disabled={end === 0}
        aria-label={texts.place}
        aria-valuetext={texts.placeOf(clock(seconds), clock(end))}
        onInput={({ currentTarget }) => playback.seek(Number(currentTarget.value))}
        onKeyDown={move}
        onPointerMove={(event) => {
          pointed.value = secondAt(event)
        }}
        onPointerLeave={() => {
          pointed.value = undefined
        }}
        onFocus={look}
        onKeyUp={look}
        onBlur={() => {
          isFocused.value = false
        }}
      />
    </div>
  )
}

/** The small picture of a second, and its time. */
function Look({ second, part, tiles }: { second: number; part: number; tiles: Tiles | undefined }) {
  const tile = tiles?.at(second)
  return (
    <div class="look" aria-hidden="true" style={{ '--part': part, '--look': `${tile?.width ?? 64}px` }}>
      {tile && (
        <div
          class="tile"
          style={{
            width: `${tile.width}px`,
            height: `${tile.height}px`,
            backgroundImage: `url("${tile.url}")`,
            backgroundPosition: `-${tile.x}px -${tile.y}px`,
          }}
        />
      )}
      {clock(second)}
    </div>
  )
}
