import { useLayoutEffect, useRef } from 'preact/hooks'
import { texts } from '../texts/script.ts'
import { same } from './change.ts'
import type { Drafts } from './draft.ts'
import { type Field, fields, shown } from './records.ts'

/**
 * Shows how another person has changed the record that is being edited. Fields that were not typed in follow that change. For the other
 * fields the other person's value is shown, and the therapist takes it or keeps the typed one.
 */
export function Theirs({ drafts, put }: { drafts: Drafts; put(field: Field, value: string): void }) {
  const draft = drafts.draft.value
  const record = drafts.current.value
  const last = useRef(record)
  useLayoutEffect(() => {
    if (!draft || !record || record === last.current) return
    last.current = record
    for (const field of fields) {
      if (draft.typed[field] !== undefined) continue
      put(field, shown(record, field))
      delete draft.typed[field]
    }
  })
  if (!draft || draft.isNew) return null
  if (!record) return <p class="theirs">{texts.meanwhileRemoved}</p>
  const { row, typed } = draft
  const met = fields.filter(
    (field) => typed[field] !== undefined && !same(record[field], row.record[field]) && record[field] !== typed[field],
  )
  if (met.length === 0) return null
  return (
    <div class="theirs" role="status">
      <p>{texts.meanwhile}</p>
      {met.map((field) => (
        <blockquote key={field} dir="auto">
          {shown(record, field)}
        </blockquote>
      ))}
      <div class="row">
        <button
          type="button"
          onClick={() => {
            for (const field of met) {
              put(field, shown(record, field))
              delete typed[field]
            }
            drafts.accept()
          }}
        >
          {texts.takeTheirs}
        </button>
        <button type="button" onClick={drafts.accept}>
          {texts.keepMine}
        </button>
      </div>
    </div>
  )
}
