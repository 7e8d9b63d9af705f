import { computed, type ReadonlySignal, signal } from '@preact/signals'
import { type Change, newRow, type Row } from './change.ts'
import { editRow, emptyRecord, mergeRows, removeRow, splitRow } from './edits.ts'
import type { OpenScript } from './open-script.ts'
import { type Field, fields, type ScriptRecord, typedTime } from './records.ts'

/** The record that is being edited. `typed` is not a signal, because the fields themselves show it. */
export interface Draft {
  id: number
  /** The row when it was opened, or when the therapist last compared it with the change of another person. */
  row: Row
  /** The place of the row at that time, for a new record and for one that another person removes meanwhile. */
  above: number | null
  at: number
  isNew: boolean
  field: Field
  /** The offset of the caret in the text, in UTF-16 units; undefined for its end. */
  caret: number | undefined
  typed: Partial<Record<Field, string>>
}

export interface Drafts {
  draft: ReadonlySignal<Draft | undefined>
  /** The draft that was discarded last, until another record is opened. */
  discarded: ReadonlySignal<Draft | undefined>
  /** The rows of the script, and among them the row of the draft, even if the script does not have it (yet or any more). */
  rows: ReadonlySignal<readonly Row[]>
  /** The record of the draft as the script has it; undefined if it is new or another person has removed it. */
  current: ReadonlySignal<ScriptRecord | undefined>
  open(key: number, field?: Field, caret?: number): void
  /** Opens a new record at this index. */
  add(at: number): void
  /** Ends the draft; the typed text becomes a change of the script. */
  save(): void
  discard(): void
  bringBack(): void
  split(caret: number): void
  mergeWithNext(): void
  remove(key: number): void
  /** Continues the draft from the record as another person has changed it. */
  accept(): void
  isTouched(): boolean
}

/** The record of a draft with the typed values. */
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

  /**
   * Ends the draft with the change that `changeOf` makes of the rows, the index of the draft among them, its row, and its record as typed.
   */
  function end(changeOf: (rows: readonly Row[], at: number, row: Row, record: ScriptRecord) => Change) {
    const open = draft.peek()
    if (!open) return
    const shown = rows.peek()
    const at = shown.findIndex(({ key }) => key === open.row.key)
    const change = changeOf(shown, at, open.row, typedRecord(open))
    draft.value = undefined
    // If the script does not have the record, the change adds it.
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
      // Two people mostly alternate, so the speaker before the last one is suggested.
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
