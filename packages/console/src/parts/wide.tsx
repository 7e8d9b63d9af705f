import type { ComponentChildren } from 'preact'

/** A keyboard moves what has the focus. */
const focusable = { tabIndex: 0 }

/** A table that moves sideways by itself where the page is too narrow for it. */
export function Wide({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <section class="wide" aria-label={label} {...focusable}>
      <table>{children}</table>
    </section>
  )
}
