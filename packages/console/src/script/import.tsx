import { ApiFailure } from '@playtherapy/client'
import { useSignal } from '@preact/signals'
import { api } from '../api.ts'
import { Busy } from '../parts/busy.tsx'
import { explain } from '../parts/explain.ts'
import { Field } from '../parts/field.tsx'
import { isolated } from '../parts/isolated.ts'
import { Notice } from '../parts/notice.tsx'
import { texts } from '../texts/script.ts'
import type { Opened } from './use-script.ts'

interface Outcome {
  name: string
  version?: number
  failure?: unknown
}

/** Imports a file of subtitles as a new version. The file is chosen or dropped; a refusal lists its faulty lines. */
export function Import({
  opened: { script, sync },
  caseId,
  sessionId,
}: {
  opened: Opened
  caseId: number
  sessionId: number
}) {
  const isBusy = useSignal(false)
  const outcome = useSignal<Outcome | undefined>(undefined)
  const isWaiting = script.pending.value.length > 0

  async function take(file: File | undefined) {
    if (!file || isBusy.value || isWaiting) return
    isBusy.value = true
    outcome.value = undefined
    const version = script.version.value ?? 0
    // The import must not replace a version that another person saves in the meantime.
    const condition = version === 0 ? { 'if-none-match': '*' } : { 'if-match': `"${version}"` }
    try {
      const session = { case_id: caseId, session_id: sessionId }
      const { data } = await api.scripts.import({ ...session, ...condition, body: { script: file } })
      sync.learn(data.version)
      outcome.value = { name: file.name, version: data.version }
    } catch (failure) {
      if (failure instanceof ApiFailure && failure.currentVersion) sync.learn(failure.currentVersion)
      outcome.value = { name: file.name, failure }
    }
    isBusy.value = false
  }

  return (
    <section
      class="drop"
      aria-label={texts.import}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault()
        take(event.dataTransfer?.files[0])
      }}
    >
      <h4>{texts.import}</h4>
      <Field label={texts.importFile} hint={isWaiting ? texts.saveFirst : texts.importHint}>
        {(control) => (
          <input
            {...control}
            type="file"
            accept=".vtt,.srt,text/vtt,application/x-subrip"
            disabled={isWaiting || isBusy.value}
            onChange={({ currentTarget }) => {
              take(currentTarget.files?.[0])
              // The same file can then be chosen again after it was corrected.
              currentTarget.value = ''
            }}
          />
        )}
      </Field>
      {isBusy.value && <Busy>{texts.importing}</Busy>}
      {outcome.value && <Told outcome={outcome.value} />}
    </section>
  )
}

function Told({ outcome: { name, version, failure } }: { outcome: Outcome }) {
  if (version !== undefined)
    return (
      <Notice tone="good">
        <p>{texts.imported(isolated(name), version)}</p>
      </Notice>
    )
  const faults = failure instanceof ApiFailure ? failure.detail : []
  const lines = faults.flatMap(({ loc }) => {
    const line = loc.at(-1)
    return typeof line === 'number' ? [line] : []
  })
  const isMisencoded = faults.some(({ type }) => type === 'encoding')
  const isOvertaken = failure instanceof ApiFailure && failure.status === 412
  return (
    <Notice tone="alert">
      <div>
        <p>{texts.importRefused(isolated(name))}</p>
        {isOvertaken && <p>{texts.overtakenImport}</p>}
        {isMisencoded && <p>{texts.notUtf8}</p>}
        {!isOvertaken && !isMisencoded && lines.length === 0 && <p>{explain(failure)}</p>}
        {lines.length > 0 && <p>{texts.lineFault}</p>}
        <ul class="lines">
          {lines.map((line) => (
            <li key={line}>{texts.line(line)}</li>
          ))}
        </ul>
      </div>
    </Notice>
  )
}
