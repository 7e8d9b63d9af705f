import type { ComponentChildren } from 'preact'

/** Arrow keys scroll the element that has the focus. */
const focusable = { tabIndex: 0 }

/** A table that scrolls sideways by itself if the page is too narrow for it. */
export function Wide({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <section class="wide" aria-label={label} {...focusable}>
      <table>{children}</table>
    </section>
  )
}
