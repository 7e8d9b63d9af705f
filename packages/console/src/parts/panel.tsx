import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'

interface Titled {
  /** The id of its heading. */
  id: string
  title: string
  about: string
  children: ComponentChildren
}

/** What is closed at first. What it holds is read only when somebody opens it, because that is told to the audit trail. */
export function Panel({ id, title, about, children }: Titled) {
  const [isOpen, setOpen] = useState(false)
  return (
    <section aria-labelledby={id}>
      <details class="panel" onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
        <summary>
          <h2 id={id}>{title}</h2>
        </summary>
        <div class="stack">
          <p class="quiet">{about}</p>
          {isOpen && children}
        </div>
      </details>
    </section>
  )
}
