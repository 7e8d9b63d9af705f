import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { Dialog } from '../../parts/dialog.tsx'
import { texts } from '../../texts/session.ts'
import { clock } from '../clock.ts'
import type { Playback } from '../playback.ts'
import { type Controls, speeds } from './controls-state.ts'
import { Icon } from './icons.tsx'
import { skipSeconds } from './keys.ts'
import { remember, remembered } from './remembered.ts'

/** A button with a picture. */
function Button({
  name,
  icon,
  onClick,
  pressed,
  children,
}: {
  name: string
  icon?: Parameters<typeof Icon>[0]['name']
  onClick: () => void
  pressed?: boolean
  children?: ComponentChildren
}) {
  return (
    <button type="button" class="bare icon" title={name} aria-label={name} aria-pressed={pressed} onClick={onClick}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  )
}

/** The buttons below the recording. */
export function Buttons({
  playback,
  controls,
  hasTrack,
}: {
  playback: Playback
  controls: Controls
  hasTrack: boolean
}) {
  const isPlaying = playback.isPlaying.value
  const isSilent = controls.isMuted.value || controls.volume.value === 0
  const isFull = controls.isFull.value
  const areKeysShown = useSignal(false)
  return (
    <div class="row buttons">
      <Button
        name={isPlaying ? texts.pause : texts.play}
        icon={isPlaying ? 'pause' : 'play'}
        onClick={controls.toggle}
      />
      <Button name={texts.back(skipSeconds)} icon="back" onClick={() => controls.skip(-skipSeconds)} />
      <Button name={texts.ahead(skipSeconds)} icon="ahead" onClick={() => controls.skip(skipSeconds)} />
      <Button name={texts.previousFrame} icon="previous" onClick={() => controls.step(-1)} />
      <Button name={texts.nextFrame} icon="next" onClick={() => controls.step(1)} />
      <span class="time">
        {clock(playback.seconds.value)} / {clock(controls.end.value)}
      </span>
      <span class="sound">
        <Button
          name={isSilent ? texts.soundOn : texts.soundOff}
          icon={isSilent ? 'silent' : 'loud'}
          onClick={controls.toggleSound}
        />
        <input
          type="range"
          min={0}
          max={1}
          step={0.05}
          value={isSilent ? 0 : controls.volume.value}
          aria-label={texts.volume}
          aria-valuetext={`${Math.round((isSilent ? 0 : controls.volume.value) * 100)} %`}
          onInput={({ currentTarget }) => controls.setVolume(Number(currentTarget.value))}
        />
      </span>
      <select
        class="speed"
        aria-label={texts.speed}
        title={texts.speed}
        value={controls.speed.value}
        onChange={({ currentTarget }) => controls.setSpeed(Number(currentTarget.value))}
      >
        {speeds.map((speed) => (
          <option key={speed} value={speed}>
            {speed} ×
          </option>
        ))}
      </select>
      {hasTrack && (
        <Button
          name={texts.captions}
          icon="captions"
          pressed={controls.hasCaptions.value}
          onClick={controls.toggleCaptions}
        />
      )}
      <Button
        name={isFull ? texts.leaveFull : texts.full}
        icon={isFull ? 'small' : 'full'}
        onClick={controls.toggleFull}
      />
      <Button
        name={texts.keys}
        onClick={() => {
          areKeysShown.value = true
        }}
      >
        ?
      </Button>
      {areKeysShown.value && (
        <Keys
          onClose={() => {
            areKeysShown.value = false
          }}
        />
      )}
    </div>
  )
}

/** Which keys there are. Single characters can be switched off (WCAG 2.2, 2.1.4). */
function Keys({ onClose }: { onClose: () => void }) {
  const areOn = useSignal(remembered('keys') !== 'off')
  return (
    <Dialog title={texts.keys} onClose={onClose}>
      <table class="keys">
        <tbody>
          {texts.keyList(skipSeconds).map(([keys, what]) => (
            <tr key={keys}>
              <th scope="row">{keys}</th>
              <td>{what}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <label class="row">
        <input
          type="checkbox"
          checked={areOn.value}
          onChange={({ currentTarget }) => {
            areOn.value = currentTarget.checked
            remember('keys', areOn.value ? 'on' : 'off')
          }}
        />
        {texts.keysOn}
      </label>
      <div class="actions">
        <button type="button" class="primary" onClick={onClose}>
          {texts.close}
        </button>
      </div>
    </Dialog>
  )
}
