import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'

/** What a control has to carry so that its label, hint and fault are read out with it. */
export interface Control {
  id: string
  'aria-describedby': string | undefined
  'aria-invalid': 'true' | undefined
}

/** A control with its label, and below it what is expected or what is wrong. */
export function Field({
  label,
  hint,
  fault,
  children,
}: {
  label: ComponentChildren
  hint?: ComponentChildren
  fault?: ComponentChildren
  children: (control: Control) => ComponentChildren
}) {
  const id = useId()
  const note = fault ?? hint
  const noteId = note ? `${id}-note` : undefined
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, 'aria-describedby': noteId, 'aria-invalid': fault ? 'true' : undefined })}
      {note && (
        <p id={noteId} class={fault ? 'fault' : 'hint'} role={fault ? 'alert' : undefined}>
          {note}
        </p>
      )}
    </div>
  )
}
