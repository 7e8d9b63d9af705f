import { useState } from 'preact/hooks'
import { ErasurePage } from '../held/late.ts'
import { texts } from '../texts/cases.ts'

/** What a therapist has deleted, read when somebody opens it, with the proofs that nothing is left. */
export function Erasures() {
  const [isOpen, setOpen] = useState(false)
  return (
    <details class="panel" onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>{texts.erasures}</summary>
      <p class="quiet">{texts.erasuresMean}</p>
      {isOpen && <ErasurePage />}
    </details>
  )
}
