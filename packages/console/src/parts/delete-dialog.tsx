import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { texts } from '../texts/cases.ts'
import { texts as shared } from '../texts/parts.ts'
import { Dialog } from './dialog.tsx'
import { Field } from './field.tsx'
import { Notice } from './notice.tsx'
import { useSave } from './use-save.ts'

/** Asks before something is deleted for good. It says what else is deleted, and requires a typed word. */
export function DeleteDialog({
  title,
  remove,
  onClose,
  children,
}: {
  title: string
  /** Deletes it and closes the dialog. */
  remove: () => Promise<void>
  onClose: () => void
  children: ComponentChildren
}) {
  const [typed, setTyped] = useState('')
  const [isMissing, setMissing] = useState(false)
  const { save, isSaving, failure } = useSave(remove)
  const word = texts.word
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          if (typed.normalize('NFC').trim().toLowerCase() === word) save()
          else setMissing(true)
        }}
      >
        {/* The element keeps the field below in its place when `children` change; otherwise the field would lose the focus. */}
        <div>{children}</div>
        <p>
          <strong>{texts.forever}</strong> {texts.proof}
        </p>
        <Field label={texts.typeWord(word)} fault={isMissing && texts.notTyped(word)}>
          {(control) => (
            <input
              {...control}
              autocomplete="off"
              autocapitalize="none"
              value={typed}
              onInput={({ currentTarget: { value } }) => {
                setTyped(value)
                setMissing(false)
              }}
            />
          )}
        </Field>
        {failure !== undefined && <Notice failure={failure} />}
        <div class="actions">
          <button type="button" onClick={onClose}>
            {shared.cancel}
          </button>
          <button type="submit" class="danger primary" disabled={isSaving}>
            {texts.remove}
          </button>
        </div>
      </form>
    </Dialog>
  )
}
