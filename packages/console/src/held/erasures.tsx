import type { ErasureState } from '@playtherapy/client'
import { useEffect, useRef, useState } from 'preact/hooks'
import { api } from '../api.ts'
import { moment } from '../parts/amounts.ts'
import { Busy } from '../parts/busy.tsx'
import { Notice } from '../parts/notice.tsx'
import { saveFile } from '../parts/save-file.ts'
import { useLoad } from '../parts/use-load.ts'
import { useSave } from '../parts/use-save.ts'
import { texts } from '../texts/erasures.ts'

/** An open list is read anew after so long, because what is pending ends at some time. */
const everyMs = 60_000

/** The erasures after one of them, and the way to older ones. */
export function ErasurePage({ before }: { before?: string }) {
  const { data, failure, reload } = useLoad(
    (signal) => api.erasures.list(before === undefined ? {} : { before }, { signal }),
    [before],
  )
  const [hasMore, setMore] = useState(false)
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    // The button that had the focus is gone.
    if (before !== undefined) place.current?.focus()
    const timer = setInterval(() => document.hidden || reload(), everyMs)
    return () => clearInterval(timer)
  }, [])
  const last = data?.at(-1)
  return (
    <>
      <div ref={place} tabIndex={-1}>
        {failure !== undefined && <Notice failure={failure} onRetry={reload} />}
        {!data && failure === undefined && <Busy />}
        {data?.length === 0 && <p class="quiet">{before === undefined ? texts.none : texts.noOlder}</p>}
        <ul class="cards">
          {data?.map((erasure) => (
            <Item key={erasure.id} of={erasure} />
          ))}
        </ul>
        {last && !hasMore && (
          <button type="button" onClick={() => setMore(true)}>
            {texts.older}
          </button>
        )}
      </div>
      {last && hasMore && <ErasurePage before={last.id} />}
    </>
  )
}

/** When a step of an erasure was or will be; the service gives a time for each that is over. */
const timeOf = (at: string | null) => (at === null ? '–' : moment(at))

function stateOf({ state, last_sweep_due, last_swept_at, locked_until }: ErasureState): string {
  if (state === 'pending') return texts.pending(timeOf(last_sweep_due))
  return state === 'erased' ? texts.erased(timeOf(last_swept_at)) : texts.locked(timeOf(locked_until))
}

function Item({ of: erasure }: { of: ErasureState }) {
  const { id, state, case_id, session_id, video_id, asked_at, asked_by } = erasure
  const parts = [texts.case(case_id)]
  if (session_id !== null) parts.push(texts.session(session_id))
  if (video_id !== null) parts.push(texts.recording(video_id))
  const what = parts.join(', ')
  const { save, isSaving, failure } = useSave(async () => {
    const { receipt } = await api.erasures.get({ id })
    if (receipt !== null) saveFile(new Blob([receipt], { type: 'application/jose' }), `erasure-${id}.jws`)
  })
  return (
    <li>
      <div>
        <p>
          {what} · {texts.asked(timeOf(asked_at))}
          {asked_by === 'retention' && ` · ${texts.retention}`}
        </p>
        <p class="quiet">{stateOf(erasure)}</p>
        {failure !== undefined && <Notice failure={failure} />}
      </div>
      {state !== 'pending' && (
        <button type="button" class="bare" aria-label={texts.saveOf(what)} disabled={isSaving} onClick={save}>
          {texts.save}
        </button>
      )}
    </li>
  )
}
