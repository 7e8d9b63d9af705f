import type { ComponentChildren } from 'preact'

/** A keyboard can scroll only what it can focus. */
const focusable = { tabIndex: 0 } as const

/** Shows what may be wider than the page, such as a table on a phone. */
export function Scrolls({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <section class="scrolls" aria-label={name} {...focusable}>
      {children}
    </section>
  )
}
