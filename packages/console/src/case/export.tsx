import { useState } from 'preact/hooks'
import { ExportState } from '../held/late.ts'
import { texts } from '../texts/case.ts'

/** All that is held of a case as one file. Its state is read only when somebody opens this, because that is told to the audit trail. */
export function Export({ caseId }: { caseId: number }) {
  const [isOpen, setOpen] = useState(false)
  return (
    <section aria-labelledby="export">
      <details class="panel" onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
        <summary>
          <h2 id="export">{texts.export}</h2>
        </summary>
        <div class="stack">
          <p class="quiet">{texts.exportAbout}</p>
          {isOpen && <ExportState caseId={caseId} />}
        </div>
      </details>
    </section>
  )
}
