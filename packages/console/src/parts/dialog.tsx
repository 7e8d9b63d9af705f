import type { ComponentChildren } from 'preact'
import { useId, useLayoutEffect, useRef } from 'preact/hooks'

/**
 * A dialog over the page, opened while it is drawn. The browser keeps the focus in it and returns it to what had it
 * before. Escape asks `onClose`; a click beside it does nothing, so that nothing typed is lost by a slip. Without `onClose` it
 * stays open.
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
    // Before it leaves the page: only a dialog that is closed gives the focus back.
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
        // This Escape is for the input method, which has half a syllable open.
        if (!isComposing.current) onClose?.()
      }}
      onClose={() => onClose?.()}
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
