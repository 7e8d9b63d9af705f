import type { Session } from '@playtherapy/client'
import { useState } from 'preact/hooks'
import { api } from '../api.ts'
import { Dialog } from '../parts/dialog.tsx'
import { Field } from '../parts/field.tsx'
import { useIdempotency } from '../parts/idempotency.ts'
import { isolated } from '../parts/isolated.ts'
import { Notice } from '../parts/notice.tsx'
import { useSave } from '../parts/use-save.ts'
import { texts } from '../texts/case.ts'
import { texts as cases } from '../texts/cases.ts'
import { texts as shared } from '../texts/parts.ts'

/** A dialog that creates a session, or renames the given one. */
export function SessionForm({
  caseId,
  renamed,
  onClose,
  onSaved,
}: {
  caseId: number
  renamed?: Session
  onClose: () => void
  onSaved: (saved: Session) => void
}) {
  const [name, setName] = useState(renamed?.name ?? '')
  const [isChecked, setChecked] = useState(false)
  const keyOf = useIdempotency()
  const { save, isSaving, failure } = useSave(async () => {
    const body = { data: { name } }
    return renamed
      ? api.sessions.replace({ case_id: caseId, session_id: renamed.id, body })
      : api.sessions.create({ case_id: caseId, body, ...keyOf(body) })
  }, onSaved)
  // What is being saved is shown when it is, and is not made twice.
  const close = () => isSaving || onClose()
  const isNameless = name.trim() === ''
  return (
    <Dialog title={renamed ? texts.renameSession(isolated(renamed.name)) : texts.newSession} onClose={close}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          setChecked(true)
          if (!isNameless) save()
        }}
      >
        <Field label={texts.name} hint={texts.nameHint} fault={isChecked && isNameless && texts.needed}>
          {(control) => (
            <input
              {...control}
              maxLength={200}
              autocomplete="off"
              required
              value={name}
              onInput={({ currentTarget }) => setName(currentTarget.value)}
            />
          )}
        </Field>
        {failure !== undefined && <Notice failure={failure} />}
        <div class="actions">
          <button type="button" onClick={close}>
            {shared.cancel}
          </button>
          <button type="submit" class="primary" disabled={isSaving}>
            {renamed ? cases.save : cases.create}
          </button>
        </div>
      </form>
    </Dialog>
  )
}
