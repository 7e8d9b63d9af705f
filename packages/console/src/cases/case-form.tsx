import type { Case } from '@playtherapy/client'
import { useState } from 'preact/hooks'
import { userId } from '../account.ts'
import { apiOf } from '../api.ts'
import { Dialog } from '../parts/dialog.tsx'
import { Field } from '../parts/field.tsx'
import { useIdempotency } from '../parts/idempotency.ts'
import { isolated } from '../parts/isolated.ts'
import { Notice } from '../parts/notice.tsx'
import { useSave } from '../parts/use-save.ts'
import { texts } from '../texts/cases.ts'
import { texts as shared } from '../texts/parts.ts'
import { nameOf } from './name.ts'

const genders = ['F', 'M', 'N'] as const
const blank = { given_name: '', family_name: '', age: '', gender: '', case_state_id: '1' }
type Typed = typeof blank

const textOf = (value: unknown) => (typeof value === 'string' || typeof value === 'number' ? `${value}` : '')
const typedOf = ({ given_name, family_name, description, case_state_id }: Case): Typed => ({
  given_name,
  family_name: family_name ?? '',
  age: textOf(description.age),
  gender: textOf(description.gender),
  case_state_id: `${case_state_id}`,
})

/** The body of a request from the fields of the form. The other keys of `before`, the case as it is now, are kept. */
function fieldsOf(typed: Typed, first: Typed, before?: Case) {
  const isEdited = (name: keyof Typed) => before === undefined || typed[name] !== first[name]
  const { age, gender } = typed
  const number = Number(age)
  return {
    given_name: isEdited('given_name') ? typed.given_name : (before?.given_name ?? ''),
    family_name: isEdited('family_name') ? typed.family_name : (before?.family_name ?? ''),
    case_state_id: isEdited('case_state_id') ? Number(typed.case_state_id) : (before?.case_state_id ?? null),
    description: {
      ...before?.description,
      ...(isEdited('age') && { age: age.trim() === '' ? null : Number.isFinite(number) ? number : age }),
      ...(isEdited('gender') && { gender }),
    },
  }
}

/** A dialog that creates a case, or edits the given one. */
export function CaseForm({
  edited,
  onClose,
  onSaved,
}: {
  edited?: Case
  onClose: () => void
  onSaved: (saved: Case) => void
}) {
  const [first] = useState(() => (edited ? typedOf(edited) : blank))
  const [typed, setTyped] = useState(first)
  const [isChecked, setChecked] = useState(false)
  const keyOf = useIdempotency()
  const [api] = useState(() => apiOf(userId.peek()))
  const { save, isSaving, failure } = useSave(async () => {
    if (!edited) {
      const body = fieldsOf(typed, first)
      return api.cases.create({ body, ...keyOf(body) })
    }
    // The case may have changed since the list was loaded.
    const before = await api.cases.get({ case_id: edited.id })
    return api.cases.replace({ case_id: edited.id, body: fieldsOf(typed, first, before) })
  }, onSaved)
  // What is being saved is shown when it is, and is not made twice.
  const close = () => isSaving || onClose()
  const isNameless = typed.given_name.trim() === ''
  const control = (name: keyof Typed) => ({
    value: typed[name],
    onInput: ({ currentTarget: { value } }: { currentTarget: { value: string } }) =>
      setTyped((last) => ({ ...last, [name]: value })),
  })
  return (
    <Dialog title={edited ? texts.editCase(isolated(nameOf(edited))) : texts.newCase} onClose={close}>
      <form
        class="stack"
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          setChecked(true)
          if (!isNameless) save()
        }}
      >
        <div class="pair">
          <Field label={texts.familyName}>
            {(props) => <input {...props} {...control('family_name')} maxLength={200} autocomplete="off" />}
          </Field>
          <Field label={texts.givenName} fault={isChecked && isNameless && texts.needed}>
            {(props) => <input {...props} {...control('given_name')} maxLength={200} autocomplete="off" required />}
          </Field>
        </div>
        <div class="pair">
          <Field label={texts.age}>
            {(props) => <input {...props} {...control('age')} inputMode="numeric" maxLength={20} autocomplete="off" />}
          </Field>
          <Field label={texts.gender}>
            {(props) => (
              <select {...props} {...control('gender')}>
                <option value="">{texts.unknown}</option>
                {genders.map((gender) => (
                  <option key={gender} value={gender}>
                    {texts.genders[gender]}
                  </option>
                ))}
                {first.gender && !(first.gender in texts.genders) && <option>{first.gender}</option>}
              </select>
            )}
          </Field>
        </div>
        <Field label={texts.state}>
          {(props) => (
            <select {...props} {...control('case_state_id')}>
              {texts.states.map((name, index) => (
                <option key={name} value={index + 1}>
                  {name}
                </option>
              ))}
            </select>
          )}
        </Field>
        {failure !== undefined && <Notice failure={failure} />}
        <div class="actions">
          <button type="button" onClick={close}>
            {shared.cancel}
          </button>
          <button type="submit" class="primary" disabled={isSaving}>
            {edited ? texts.save : texts.create}
          </button>
        </div>
      </form>
    </Dialog>
  )
}
