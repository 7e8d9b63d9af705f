import { ApiFailure } from '@playtherapy/client'
import { useState } from 'preact/hooks'
import { api } from '../api.ts'
import { moment } from '../parts/amounts.ts'
import { Notice } from '../parts/notice.tsx'
import { useSave } from '../parts/use-save.ts'
import { texts } from '../texts/operations.ts'
import type { Operations } from './use-operations.ts'

type Job = Operations['given_up'][number]

/** The jobs that were given up, in pages, each with its reason and a way to repeat it. */
export function GivenUp({
  of: { given_up: jobs, next },
  after,
  onPage,
  onRetried,
}: {
  of: Operations
  after: string | undefined
  onPage: (after: string | undefined) => void
  onRetried: () => void
}) {
  const [told, setTold] = useState('')
  return (
    <section class="stack" aria-labelledby="given-up">
      <h2 id="given-up" tabIndex={-1}>
        {texts.givenUp}
      </h2>
      <p role="status" class="told">
        {told}
      </p>
      {jobs.length === 0 && <p class="quiet">{texts.noneGivenUp}</p>}
      <ul class="cards">
        {jobs.map((job) => (
          <li key={job.id}>
            <JobPart
              job={job}
              onRetried={(words) => {
                setTold(words)
                document.getElementById('given-up')?.focus()
                onRetried()
              }}
            />
          </li>
        ))}
      </ul>
      {(after !== undefined || next !== null) && (
        <div class="row">
          <button type="button" disabled={after === undefined} onClick={() => onPage(undefined)}>
            {texts.firstPage}
          </button>
          <button type="button" disabled={next === null} onClick={() => onPage(next ?? undefined)}>
            {texts.nextPage}
          </button>
        </div>
      )}
    </section>
  )
}

function JobPart({ job, onRetried }: { job: Job; onRetried: (words: string) => void }) {
  const { id, name, ids, attempts, at, reason, how } = job
  const { save, isSaving, failure } = useSave(async () => {
    try {
      await api.operations.retry({ id })
    } catch (error) {
      if (!(error instanceof ApiFailure && error.status === 404)) throw error
    }
    onRetried(texts.retried(name, id))
  })
  return (
    <>
      <div>
        <p class="name">
          <code>{name}</code>{' '}
          <span class={how === 'failed' ? 'state error' : 'state'}>
            {how === 'failed' ? texts.hasFailed : texts.wasRefused}
          </span>
        </p>
        <p class="words">{reason}</p>
        <p class="facts quiet">
          <span>{texts.number(id)}</span>
          {Object.entries(ids).map(([key, value]) => (
            <code key={key}>{`${key} ${value}`}</code>
          ))}
          <span>{texts.attempts(attempts)}</span>
          <time dateTime={at}>{moment(at)}</time>
        </p>
        {how === 'refused' && <p class="hint">{texts.refusedHint}</p>}
        {failure !== undefined && <Notice failure={failure} />}
      </div>
      <button type="button" disabled={isSaving} aria-label={texts.retryJob(name, id)} onClick={save}>
        {texts.retry}
      </button>
    </>
  )
}
