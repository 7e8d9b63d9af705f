import type { Controls } from './controls-state.ts'
import { remembered } from './remembered.ts'

/** Seconds of a skip by a key or button. */
export const skipSeconds = 5

type Command = (controls: Controls) => void
const commands: Record<string, Command> = {
  ' ': ({ toggle }) => toggle(),
  k: ({ toggle }) => toggle(),
  j: ({ skip }) => skip(-skipSeconds),
  l: ({ skip }) => skip(skipSeconds),
  arrowleft: ({ skip }) => skip(-skipSeconds),
  arrowright: ({ skip }) => skip(skipSeconds),
  ',': ({ step }) => step(-1),
  '.': ({ step }) => step(1),
  m: ({ toggleSound }) => toggleSound(),
  c: ({ toggleCaptions }) => toggleCaptions(),
  f: ({ toggleFull }) => toggleFull(),
  ...Object.fromEntries(
    Array.from('0123456789', (digit): [string, Command] => [digit, ({ jump }) => jump(+digit / 10)]),
  ),
}
/** Only in the player, because elsewhere they scroll. */
const ownCommands: Record<string, Command> = {
  arrowup: ({ setVolume, volume }) => setVolume(volume.value + 0.1),
  arrowdown: ({ setVolume, volume }) => setVolume(volume.value - 0.1),
}

/** Where keys write or choose. */
const fields =
  'input:not([type=checkbox], [type=radio], [type=button], [data-seek]), textarea, select, [contenteditable]'
/** What takes arrows itself. */
const movers = '[role=tab], [role=listbox], [role=option], [role=menu], [role=grid], [role=slider], [type=radio]'
/** What a space presses. */
const pressed = 'button, a, summary, [type=checkbox], [type=radio], [role=button]'

/** The name of a key. With a Korean keyboard, where `k` types `ㅏ`, its place counts. */
function nameOf({ key, code }: KeyboardEvent): string {
  const place = /^Key([A-Z])$/.exec(code)?.[1]
  return (/^[\x20-\x7e]$|^Arrow/.test(key) ? key : (place ?? key)).toLowerCase()
}

/** Lets keys of the page work a player, but not where somebody writes, chooses, or has switched them off. */
export function listenToKeys(box: HTMLElement, controls: Controls): () => void {
  function listen(event: KeyboardEvent) {
    const { target, ctrlKey, altKey, metaKey, isComposing, defaultPrevented } = event
    if (defaultPrevented || isComposing || ctrlKey || altKey || metaKey || !(target instanceof Element)) return
    if (target.closest(fields) || document.querySelector('dialog[open]')) return
    const name = nameOf(event)
    if (name.length === 1 && name !== ' ' && remembered('keys') === 'off') return
    if (name === ' ' && target.closest(pressed)) return
    if (name.startsWith('arrow') && target.closest(movers)) return
    const command = commands[name] ?? (box.contains(target) ? ownCommands[name] : undefined)
    if (!command) return
    event.preventDefault()
    command(controls)
  }
  document.addEventListener('keydown', listen)
  return () => document.removeEventListener('keydown', listen)
}
