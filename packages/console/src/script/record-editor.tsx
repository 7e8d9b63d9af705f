import { useId, useLayoutEffect, useRef } from 'preact/hooks'
import type { Playback } from '../session/playback.ts'
import { texts } from '../texts/script.ts'
import type { Draft, Drafts } from './draft.ts'
import { type Field, shown, timeOf } from './records.ts'
import { Theirs } from './theirs.tsx'

/** Whether a key belongs to an input method: its Enter, Escape and Tab choose a syllable and are not commands of the page. */
export const isComposing = (event: KeyboardEvent) => event.isComposing || event.keyCode === 229

/** A longer text, in UTF-16 units, is shown in lines as they are: browsers take seconds to wrap a megabyte, with each letter anew. */
const mostWrapped = 50_000

/** The fields of the record that is being edited. They keep the typed text when the list around them is drawn again. */
export function RecordEditor({
  draft,
  drafts,
  playback,
  speakers,
  onEnd,
}: {
  draft: Draft
  drafts: Drafts
  playback: Playback
  /** Names of speakers that the script has already. */
  speakers: readonly string[]
  /** Called after a key or a button has ended the draft. */
  onEnd(key: number): void
}) {
  const fields = useRef(new Map<Field, HTMLInputElement | HTMLTextAreaElement>())
  const names = useId()
  const { key } = draft.row
  const isEndless = shown(draft.row.record, 'text').length > mostWrapped

  useLayoutEffect(() => {
    const field = fields.current.get(draft.field)
    field?.focus({ preventScroll: true })
    const caret = draft.caret ?? field?.value.length ?? 0
    if (draft.field === 'text') field?.setSelectionRange(caret, caret)
    else field?.select()
  }, [])

  const attributes = (field: Field) => ({
    ref: (element: HTMLInputElement | HTMLTextAreaElement | null) => {
      if (element) fields.current.set(field, element)
    },
    defaultValue: draft.typed[field] ?? shown(draft.row.record, field),
    onInput: (event: Event) => {
      const { target } = event
      if (target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement) draft.typed[field] = target.value
    },
    onKeyDown,
    'aria-label': { start_time: texts.start, end_time: texts.end, speaker: texts.speaker, text: texts.text }[field],
  })
  /** Writes a value into a field as if it was typed. */
  const put = (field: Field, value: string) => {
    const element = fields.current.get(field)
    if (element) element.value = value
    draft.typed[field] = value
  }
  const caret = () => fields.current.get('text')?.selectionStart ?? 0
  const end = (how: () => void) => {
    how()
    onEnd(key)
  }

  const onKeyDown = (event: KeyboardEvent) => {
    event.stopPropagation()
    if (isComposing(event)) return
    const { key: pressed, shiftKey, altKey } = event
    const control = event.ctrlKey || event.metaKey
    if (pressed === 'Escape') end(drafts.discard)
    else if (pressed !== 'Enter') return
    else if (control && shiftKey) drafts.mergeWithNext()
    else if (control) drafts.split(caret())
    else if (altKey) add(shiftKey ? 0 : 1)
    else if (shiftKey) return
    else end(drafts.save)
    event.preventDefault()
  }
  const add = (below: 0 | 1) => drafts.add(drafts.rows.value.findIndex((row) => row.key === key) + below)

  const time = (field: 'start_time' | 'end_time', name: string) => (
    <div class="field-row">
      <input {...attributes(field)} class="time" size={10} autocomplete="off" inputMode="decimal" />
      <button
        type="button"
        class="bare"
        title={texts.takeTime(name)}
        onClick={() => put(field, timeOf(Math.floor(playback.seconds.peek() * 10) / 10))}
      >
        {texts.now}
        <span class="unseen"> ({name})</span>
      </button>
    </div>
  )

  return (
    <td class="editor" colSpan={3}>
      <div class="times">
        {time('start_time', texts.start)}
        {time('end_time', texts.end)}
        <input {...attributes('speaker')} list={names} autocomplete="off" dir="auto" />
        <datalist id={names}>
          {speakers.map((speaker) => (
            <option key={speaker} value={speaker} />
          ))}
        </datalist>
      </div>
      <textarea {...attributes('text')} dir="auto" rows={2} wrap={isEndless ? 'off' : undefined} />
      <Theirs drafts={drafts} put={put} />
      <div class="tools">
        <button type="button" class="primary" onClick={() => end(drafts.save)}>
          {texts.save}
        </button>
        <button type="button" onClick={() => end(drafts.discard)}>
          {texts.cancel}
        </button>
        <button type="button" onClick={() => drafts.split(caret())}>
          {texts.split}
        </button>
        <button type="button" onClick={drafts.mergeWithNext}>
          {texts.merge}
        </button>
        <button type="button" onClick={() => add(0)}>
          {texts.addBefore}
        </button>
        <button type="button" onClick={() => add(1)}>
          {texts.addAfter}
        </button>
        <button type="button" class="danger" onClick={() => end(() => drafts.remove(key))}>
          {texts.remove}
        </button>
      </div>
    </td>
  )
}
