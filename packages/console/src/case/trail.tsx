import { useState } from 'preact/hooks'
import { Events } from '../held/late.ts'
import { texts } from '../texts/case.ts'

/** Who saw and changed what of a case. It is read only when somebody opens it, because that is told to the trail, too. */
export function Trail({ caseId }: { caseId: number }) {
  const [isOpen, setIsOpen] = useState(false)
  return (
    <section class="stack" aria-labelledby="trail">
      <h2 id="trail">{texts.trail}</h2>
      <p class="quiet">{texts.trailAbout}</p>
      {isOpen ? (
        <Events caseId={caseId} />
      ) : (
        <div class="row">
          <button type="button" onClick={() => setIsOpen(true)}>
            {texts.open}
          </button>
        </div>
      )}
    </section>
  )
}
