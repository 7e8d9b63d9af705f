import type { ComponentChildren } from 'preact'
import { useId, useLayoutEffect, useRef } from 'preact/hooks'

/**
 * A modal dialog, which is open for as long as it is drawn. The browser keeps the focus inside, and returns it to the element that had it
 * before. Escape calls `onClose`; without it the dialog stays open. A click beside the dialog does nothing, so that nothing typed is lost
 * by accident.
 */
export function Dialog({
  title,
  onClose,
  class: name,
  children,
}: {
  title: string
  onClose?: () => void
  class?: string
  children: ComponentChildren
}) {
  const dialog = useRef<HTMLDialogElement>(null)
  const isComposing = useRef(false)
  const id = useId()
  useLayoutEffect(() => {
    const element = dialog.current
    element?.showModal()
    // The dialog is closed before it is removed, because only then the browser returns the focus.
    return () => element?.close()
  }, [])
  return (
    <dialog
      ref={dialog}
      class={name}
      aria-labelledby={id}
      onCancel={(event) => {
        if (event.target !== event.currentTarget) return
        event.preventDefault()
        // While a syllable is composed, Escape belongs to the input method.
        if (!isComposing.current) onClose?.()
      }}
      // The event comes in a later task. By then this dialog may have been removed and another one opened, which it must not close.
      onClose={() => dialog.current && onClose?.()}
      onCompositionStart={() => {
        isComposing.current = true
      }}
      onCompositionEnd={() => {
        isComposing.current = false
      }}
    >
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  )
}
