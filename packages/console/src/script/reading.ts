import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals'
import { newsOf } from '../live.ts'
import type { Playback } from '../session/playback.ts'
import type { Drafts } from './draft.ts'
import { isComposing } from './record-editor.tsx'
import { secondsOf } from './records.ts'
import { indexAt, type Timing, timingOf } from './timing.ts'
import type { Opened } from './use-script.ts'

/** The place of the therapist in the list of records, and the actions of keys and clicks there. */
export interface Reading {
  drafts: Drafts
  playback: Playback
  timing: ReadonlySignal<Timing>
  /** The index of the record that is spoken at the place of the recording. */
  current: ReadonlySignal<number | undefined>
  /** Does the list follow the recording? */
  follows: Signal<boolean>
  /** The key of the record that has the focus, or that receives it from the Tab key. */
  active: Signal<number | undefined>
  /** The words that are searched for, in lower case; empty without a search. */
  wanted: Signal<string>
  speakers: ReadonlySignal<readonly string[]>
  /** Scrolls to a record. The list sets this function. */
  show(key: number, align?: 'auto' | 'center'): void
  /** Gives the focus to a record. */
  focus(key: number): void
  stopFollowing(): void
  undo(): void
  redo(): void
  /** Whether the last undo or redo was not possible, because another person has changed the same record. */
  overtaken: Signal<boolean>
  onKeyDown(event: KeyboardEvent): void
  /** Handles the keys of undo and redo in the whole section, except in fields, which have an undo of their own. */
  onUndoKey(event: KeyboardEvent): void
  onClick(event: MouseEvent): void
  onFocusOut(event: FocusEvent): void
}

/** At most so many names are offered while a speaker is typed. */
const mostSpeakers = 50

export function createReading({ script, drafts }: Opened, playback: Playback, sessionId: number): Reading {
  const length = computed(() => secondsOf(newsOf(sessionId).value?.session?.video_length))
  const timing = computed(() => timingOf(drafts.rows.value, length.value))
  const follows = signal(true)
  const active = signal<number | undefined>(undefined)
  const overtaken = signal(false)

  function move(by: number): void {
    const rows = drafts.rows.peek()
    const at = rows.findIndex(({ key }) => key === active.peek())
    const to = rows[Math.max(0, Math.min(rows.length - 1, Math.max(at, 0) + by))]
    if (!to) return
    reading.stopFollowing()
    reading.show(to.key)
    reading.focus(to.key)
  }
  const moves: Record<string, number> = {
    ArrowUp: -1,
    ArrowDown: 1,
    PageUp: -10,
    PageDown: 10,
    Home: Number.NEGATIVE_INFINITY,
    End: Number.POSITIVE_INFINITY,
  }

  const reading: Reading = {
    drafts,
    playback,
    timing,
    current: computed(() => indexAt(timing.value, playback.seconds.value)),
    follows,
    active,
    overtaken,
    wanted: signal(''),
    speakers: computed(() => {
      const names = new Set<string>()
      for (const { record } of script.rows.value) if (names.size < mostSpeakers) names.add(record.speaker)
      return [...names]
    }),
    show() {},
    focus(key) {
      active.value = key
      // The record may be outside of the drawn part of the list until the next frame.
      requestAnimationFrame(() => {
        const row = document.querySelector(`.records tr[data-key="${key}"]`)
        if (row instanceof HTMLElement && !drafts.draft.peek()) row.focus({ preventScroll: true })
      })
    },
    stopFollowing() {
      follows.value = false
    },
    undo() {
      drafts.save()
      overtaken.value = !script.undo()
    },
    redo() {
      drafts.save()
      overtaken.value = !script.redo()
    },
    onKeyDown(event) {
      if (isComposing(event)) return
      const { key, target } = event
      const place = rowOf(target)
      if (place === undefined) return
      if (drafts.draft.peek()?.row.key === place) {
        if (key !== 'Escape') return
        drafts.discard()
        reading.focus(place)
      } else if (key in moves && !event.ctrlKey && !event.metaKey && !event.altKey) move(moves[key] ?? 0)
      else if (target instanceof HTMLButtonElement) return
      else if (key === 'Enter' && event.altKey) {
        const at = drafts.rows.peek().findIndex((row) => row.key === place)
        drafts.add(event.shiftKey ? at : at + 1)
      } else if (key === 'Enter' || key === 'F2') drafts.open(place, 'text', undefined)
      else if (key === ' ') playback.toggle()
      else if (key === 'Delete') {
        const rows = drafts.rows.peek()
        const at = rows.findIndex((row) => row.key === place)
        drafts.remove(place)
        const next = rows[at + 1] ?? rows[at - 1]
        if (next) reading.focus(next.key)
      } else return
      event.preventDefault()
      event.stopPropagation()
    },
    onUndoKey(event) {
      if (isComposing(event) || !(event.ctrlKey || event.metaKey) || event.altKey) return
      if (event.target instanceof Element && event.target.matches('input:not([type=checkbox]), textarea')) return
      const key = event.key.toLowerCase()
      if (key === 'z' && !event.shiftKey) reading.undo()
      else if (key === 'y' || key === 'z') reading.redo()
      else return
      event.preventDefault()
    },
    onClick(event) {
      const key = rowOf(event.target)
      if (key === undefined || key === drafts.draft.peek()?.row.key) return
      active.value = key
      const button = event.target instanceof Element ? event.target.closest('[data-second]') : null
      if (button instanceof HTMLElement) playback.seek(Number(button.dataset.second))
      // A click that ends a selection of text does not open the record, so that the text can be copied.
      else if (getSelection()?.isCollapsed !== false) {
        const cell = event.target instanceof Element ? event.target.closest('td') : null
        const field = cell?.className === 'speaker' ? 'speaker' : cell?.className === 'times' ? 'start_time' : 'text'
        drafts.open(key, field, field === 'text' ? caretAt(event) : undefined)
      }
    },
    onFocusOut(event) {
      const { currentTarget, relatedTarget } = event
      // The record stays open when the whole window loses the focus.
      if (!document.hasFocus() || !drafts.draft.peek()) return
      if (relatedTarget instanceof Element && rowOf(relatedTarget) === drafts.draft.peek()?.row.key) return
      const key = drafts.draft.peek()?.row.key
      requestAnimationFrame(() => {
        const isElsewhere = rowOf(document.activeElement) !== key
        if (isElsewhere && drafts.draft.peek()?.row.key === key && currentTarget instanceof Node) drafts.save()
      })
    },
  }
  return reading
}

/** The key of the row that an element is in. */
function rowOf(target: EventTarget | null): number | undefined {
  const row = target instanceof Element ? target.closest('tr[data-key]') : null
  return row instanceof HTMLElement ? Number(row.dataset.key) : undefined
}

/** The offset in a text that was clicked, in UTF-16 units. */
function caretAt({ clientX, clientY }: MouseEvent): number | undefined {
  const range = document.caretRangeFromPoint?.(clientX, clientY)
  return range?.startContainer instanceof Text ? range.startOffset : undefined
}
