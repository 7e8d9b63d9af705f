import { ApiFailure, type CaseExport } from '@playtherapy/client'
import { useEffect, useRef, useState } from 'preact/hooks'
import { userId } from '../account.ts'
import { api, apiOf } from '../api.ts'
import { bytes, moment } from '../parts/amounts.ts'
import { Busy } from '../parts/busy.tsx'
import { Notice } from '../parts/notice.tsx'
import { download } from '../parts/save-file.ts'
import { useLoad } from '../parts/use-load.ts'
import { useSave } from '../parts/use-save.ts'
import { texts } from '../texts/export.ts'

/** The pauses between two looks at an export: at one that is being made, and at one that can only expire. */
const [madeMs, keptMs] = [2_000, 60_000]

const isRefused = (failure: unknown, status: number) => failure instanceof ApiFailure && failure.status === status
const isUnfinished = ({ state_id: state }: CaseExport) => state === 1 || state === 2

/** The export of a case as it is now, read again and again, and what can be done with it. */
export function ExportState({ caseId }: { caseId: number }) {
  const { data, failure, reload } = useLoad(
    (signal) =>
      api.exports.get({ case_id: caseId }, { signal }).catch((error: unknown) => {
        if (isRefused(error, 404)) return null
        throw error
      }),
    [caseId],
  )
  const place = useRef<HTMLDivElement>(null)
  const wasThere = useRef(false)
  wasThere.current ||= Boolean(data)
  const everyMs = data && isUnfinished(data) ? madeMs : keptMs
  useEffect(() => {
    const look = () => document.hidden || reload()
    const timer = setInterval(look, everyMs)
    document.addEventListener('visibilitychange', look)
    return () => {
      clearInterval(timer)
      document.removeEventListener('visibilitychange', look)
    }
  }, [everyMs])
  const onStarted = () => {
    // The button that had the focus goes.
    place.current?.focus()
    reload()
  }
  if (data === undefined) return failure === undefined ? <Busy /> : <Notice failure={failure} onRetry={reload} />
  return (
    <div class="stack">
      {failure !== undefined && <Notice failure={failure} onRetry={reload} />}
      {/* The region is there before its words, so that a screen reader tells them. */}
      <div ref={place} tabIndex={-1} class="stack" role="status" aria-label={texts.state}>
        {data ? <Words of={data} /> : wasThere.current && <p>{texts.expired}</p>}
      </div>
      {data && isUnfinished(data) && (
        <>
          <progress max={100} value={data.progress} aria-label={texts.isMade} />
          <p class="quiet numbers">{data.progress} %</p>
        </>
      )}
      {data?.state_id === 3 && <Download caseId={caseId} onGone={reload} />}
      {!(data && isUnfinished(data)) && <Start caseId={caseId} last={data} onStarted={onStarted} />}
    </div>
  )
}

/** What is said of an export. The percent that rises is not among it: a screen reader would tell every one. */
function Words({ of: made }: { of: CaseExport }) {
  const { state_id: state, size, missing, expires_at: until, failure, without_media, pseudonyms } = made
  const options = <p class="quiet">{texts.madeOf(!without_media, pseudonyms)}</p>
  if (isUnfinished(made)) {
    return (
      <>
        <p>
          {state === 1 ? texts.waits : texts.isMade} {texts.goesOn}
        </p>
        {options}
      </>
    )
  }
  if (state === 4) {
    return (
      <>
        <p class="state error">{texts.failed}</p>
        {failure && (
          <p class="hint">
            {texts.serverSays} <q lang="en">{failure}</q>
          </p>
        )}
        {!without_media && <p class="hint">{texts.smaller}</p>}
      </>
    )
  }
  return (
    <>
      <p class="state done">{texts.ready(bytes(size ?? 0), until === null ? '–' : moment(until))}</p>
      {missing > 0 && (
        <Notice tone="caution">
          <p>{texts.lacks(missing)}</p>
        </Notice>
      )}
      {options}
    </>
  )
}

/** Gets a link for each download, so that none stands in the page. */
function Download({ caseId, onGone }: { caseId: number; onGone: () => void }) {
  const { save, isSaving, failure } = useSave(async () => {
    try {
      const { path } = await api.exports.createLink({ case_id: caseId })
      download(path, 'export.zip')
    } catch (error) {
      if (!isRefused(error, 404)) throw error
      onGone()
    }
  })
  return (
    <>
      {failure !== undefined && <Notice failure={failure} />}
      <div class="row">
        <button type="button" class="primary" aria-disabled={isSaving} onClick={save}>
          {texts.download}
        </button>
      </div>
    </>
  )
}

/** Begins an export, in place of the last one. */
function Start({ caseId, last, onStarted }: { caseId: number; last: CaseExport | null; onStarted: () => void }) {
  const [options, setOptions] = useState({ without_media: false, pseudonyms: false })
  const [own] = useState(() => apiOf(userId.peek()))
  const { save, isSaving, failure } = useSave(async () => {
    try {
      await own.exports.create({ case_id: caseId, body: options })
    } catch (error) {
      // Another page has begun one.
      if (!isRefused(error, 409)) throw error
    }
  }, onStarted)
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault()
        save()
      }}
    >
      <Choice
        label={texts.withMedia}
        hint={texts.mediaHint}
        isOn={!options.without_media}
        onTurn={(isOn) => setOptions((now) => ({ ...now, without_media: !isOn }))}
      />
      <Choice
        label={texts.pseudonyms}
        hint={texts.pseudonymsHint}
        isOn={options.pseudonyms}
        onTurn={(pseudonyms) => setOptions((now) => ({ ...now, pseudonyms }))}
      />
      {last?.state_id === 3 && <p class="quiet">{texts.replaces}</p>}
      {isRefused(failure, 429) ? (
        <Notice tone="alert">
          <p>{texts.tooMany}</p>
        </Notice>
      ) : (
        failure !== undefined && <Notice failure={failure} />
      )}
      <div class="row">
        <button type="submit" class={last?.state_id === 3 ? '' : 'primary'} aria-disabled={isSaving}>
          {last ? texts.anew : texts.start}
        </button>
      </div>
    </form>
  )
}

function Choice({
  label,
  hint,
  isOn,
  onTurn,
}: {
  label: string
  hint: string
  isOn: boolean
  onTurn: (isOn: boolean) => void
}) {
  return (
    <label class="choice">
      <input type="checkbox" checked={isOn} onChange={({ currentTarget: { checked } }) => onTurn(checked)} />
      <span>
        {label} <span class="hint">{hint}</span>
      </span>
    </label>
  )
}
