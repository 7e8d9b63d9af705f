import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'

/** The attributes by which a control is read out together with its label, hint and fault. */
export interface Control {
  id: string
  'aria-describedby': string | undefined
  'aria-invalid': 'true' | undefined
}

/** A control with its label above, and its hint or fault below. */
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
