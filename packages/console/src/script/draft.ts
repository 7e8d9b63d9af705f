import { computed, type ReadonlySignal, signal } from '@preact/signals'
import { type Change, newRow, type Row } from './change.ts'
import { editRow, emptyRecord, mergeRows, removeRow, splitRow } from './edits.ts'
import type { OpenScript } from './open-script.ts'
import { type Field, fields, type ScriptRecord, typedTime } from './records.ts'

/** A record while somebody types in it. What is typed is no signal, because the fields themselves show it. */
export interface Draft {
  id: number
  /** As it was when it was opened, or as it was last looked at beside what somebody else has made of it. */
  row: Row
  /** Its place then, for a new record and for one that somebody else removes meanwhile. */
  above: number | null
  at: number
  isNew: boolean
  field: Field
  /** Where to put the caret in a text; undefined for its end. */
  caret: number | undefined
  typed: Partial<Record<Field, string>>
}

export interface Drafts {
  draft: ReadonlySignal<Draft | undefined>
  /** What was typed and left by Escape, until another record is opened. */
  discarded: ReadonlySignal<Draft | undefined>
  /** The rows of the script, with the one that is typed in, also if it is new or removed. */
  rows: ReadonlySignal<readonly Row[]>
  /** The record of the draft as it is without what is typed; undefined if it is new or somebody else has removed it. */
  current: ReadonlySignal<ScriptRecord | undefined>
  open(key: number, field?: Field, caret?: number): void
  /** Begins a new record at a place. */
  add(at: number): void
  /** Ends the draft: what was typed becomes a change of the script. */
  save(): void
  discard(): void
  bringBack(): void
  split(caret: number): void
  mergeWithNext(): void
  remove(key: number): void
  /** Takes the fields of somebody else as those that the draft began with. */
  accept(): void
  isTouched(): boolean
}

/** The record with what was typed. */
function typedRecord({ row, typed }: Draft): ScriptRecord {
  const { start_time, end_time, ...others } = typed
  return {
    ...row.record,
    ...(start_time !== undefined && { start_time: typedTime(start_time) }),
    ...(end_time !== undefined && { end_time: typedTime(end_time) }),
    ...others,
  }
}

let lastId = 0

export function createDrafts(script: OpenScript): Drafts {
  const draft = signal<Draft | undefined>(undefined)
  const discarded = signal<Draft | undefined>(undefined)
  const current = computed(() => {
    const key = draft.value?.row.key
    return script.rows.value.find((row) => row.key === key)?.record
  })
  const rows = computed(() => {
    const open = draft.value
    if (!open || current.value) return script.rows.value
    const { above, at, row } = open
    const found = script.rows.value.findIndex(({ key }) => key === above)
    return script.rows.value.toSpliced(above === null ? 0 : found < 0 ? at : found + 1, 0, row)
  })

  const isTouched = () => {
    const { row, typed, isNew } = draft.peek() ?? { row: undefined, typed: {}, isNew: false }
    if (isNew) return (typed.text ?? '') !== '' || (typed.start_time ?? '') !== ''
    return fields.some((field) => typed[field] !== undefined && typed[field] !== row?.record[field])
  }

  /** Ends the draft with a change that is made from the rows, its place among them, and its record as typed. */
  function end(changeOf: (rows: readonly Row[], at: number, row: Row, record: ScriptRecord) => Change) {
    const open = draft.peek()
    if (!open) return
    const shown = rows.peek()
    const at = shown.findIndex(({ key }) => key === open.row.key)
    const change = changeOf(shown, at, open.row, typedRecord(open))
    draft.value = undefined
    // A record that the script does not have cannot be edited; it is added.
    const isThere = script.rows.peek().some(({ key }) => key === open.row.key)
    script.commit(isThere ? change : { ...change, before: change.before.filter(({ key }) => key !== open.row.key) })
  }

  function begin(next: Omit<Draft, 'id'>) {
    save()
    discarded.value = undefined
    draft.value = { ...next, id: ++lastId }
  }

  function open(key: number, field: Field = 'text', caret?: number) {
    if (draft.peek()?.row.key === key) return
    save()
    const all = script.rows.peek()
    const at = all.findIndex((row) => row.key === key)
    const row = all[at]
    if (row) begin({ row, at, above: all[at - 1]?.key ?? null, isNew: false, field, caret, typed: {} })
  }

  function save() {
    if (isTouched()) end(editRow)
    else draft.value = undefined
  }

  return {
    draft,
    discarded,
    rows,
    current,
    open,
    save,
    isTouched,
    add(at) {
      save()
      const all = script.rows.peek()
      // Who talks next is more often the one who talked before the last.
      const speaker = all[at - 2]?.record.speaker ?? all[at - 1]?.record.speaker ?? 'T'
      const row = newRow(emptyRecord(speaker))
      begin({ row, at, above: all[at - 1]?.key ?? null, isNew: true, field: 'text', caret: 0, typed: {} })
    },
    discard() {
      if (isTouched()) discarded.value = draft.peek()
      draft.value = undefined
    },
    bringBack() {
      const before = discarded.peek()
      if (before) begin({ ...before, caret: undefined })
    },
    split(caret) {
      let second: Row | undefined
      end((...place) => {
        const change = splitRow(...place, caret)
        second = change.after[1]
        return change
      })
      if (second) open(second.key, 'text', 0)
    },
    mergeWithNext() {
      const key = draft.peek()?.row.key
      const all = rows.peek()
      const next = all[all.findIndex((row) => row.key === key) + 1]
      if (key === undefined || !next) return
      let caret = 0
      end((shown, at, row, record) => {
        caret = record.text.trimEnd().length
        return mergeRows(shown, at, row, record, next)
      })
      open(key, 'text', caret)
    },
    remove(key) {
      const all = script.rows.peek()
      const at = all.findIndex((row) => row.key === key)
      const row = all[at]
      const isDraft = draft.peek()?.row.key === key
      if (isDraft) draft.value = undefined
      if (row) script.commit(removeRow(all, at, row))
    },
    accept() {
      const [open, record] = [draft.peek(), current.peek()]
      if (open && record) draft.value = { ...open, row: { key: open.row.key, record } }
    },
  }
}
