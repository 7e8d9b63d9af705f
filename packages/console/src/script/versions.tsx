import type { ScriptVersion } from '@playtherapy/client'
import { useSignal } from '@preact/signals'
import { api } from '../api.ts'
import { Busy } from '../parts/busy.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { Notice } from '../parts/notice.tsx'
import { useLoad } from '../parts/use-load.ts'
import { Wide } from '../parts/wide.tsx'
import { language } from '../texts/language.ts'
import { texts as common } from '../texts/parts.ts'
import { texts } from '../texts/script.ts'
import { Difference } from './difference.tsx'
import { Exports } from './exports.tsx'
import type { Opened } from './use-script.ts'

/** Number of versions that are listed at first. Each click doubles it, because each corrected record is a version of its own. */
const pageRows = 20
/** The service lists so many versions at a time. */
const listedRows = 1_000

/** Lists every saved version with its maker, compares two of them, and restores one. */
export function Versions({ opened, caseId, sessionId }: { opened: Opened; caseId: number; sessionId: number }) {
  const { script, sync } = opened
  const session = { case_id: caseId, session_id: sessionId }
  const current = script.version.value ?? 0
  const length = useSignal(pageRows)
  /** Lists the newest versions, at least `length` of them if there are so many. */
  async function listed(signal: AbortSignal) {
    const found: ScriptVersion[] = []
    while (current > 0) {
      const last = found.at(-1)
      const older = await api.scriptVersions.list({ ...session, ...(last && { before: last.version }) }, { signal })
      found.push(...older)
      if (older.length < listedRows || found.length >= length.value) break
    }
    return found
  }
  const { data = [], failure, isLoading, reload } = useLoad(listed, [current, Math.ceil(length.value / listedRows)])
  const compared = useSignal<{ from: number; to: number } | undefined>(undefined)
  const wanted = useSignal<number | undefined>(undefined)
  const told = useSignal<{ version: number; as: number } | undefined>(undefined)
  const refusal = useSignal<unknown>(undefined)
  const makers = { therapist: texts.byTherapist, transcriber: texts.byTranscriber, starter: texts.byStarter }
  const date = new Intl.DateTimeFormat(language.value, { dateStyle: 'medium', timeStyle: 'short' })

  async function restore(version: number) {
    wanted.value = undefined
    refusal.value = undefined
    try {
      const condition = { 'if-match': `"${current}"` }
      const { data: made } = await api.scriptVersions.restore({ ...session, version, ...condition })
      told.value = { version, as: made.version }
      sync.learn(made.version)
    } catch (error) {
      refusal.value = error
    }
  }
  if (failure !== undefined && data.length === 0) return <Notice failure={failure} onRetry={reload} />
  if (isLoading && data.length === 0) return <Busy />
  return (
    <div class="stack">
      {refusal.value !== undefined && <Notice failure={refusal.value} />}
      {told.value && (
        <Notice tone="good">
          <p>{texts.restored(told.value.version, told.value.as)}</p>
        </Notice>
      )}
      <Wide
        label={texts.versionList}
        columns={[texts.versions, texts.made, texts.madeBy, texts.warnings, texts.actions]}
      >
        {data.slice(0, length.value).map(({ version, created_at, made_by, warnings }, index) => (
          <tr key={version}>
            <th scope="row">
              {version}
              {version === current && ` (${texts.current})`}
            </th>
            <td>{date.format(new Date(created_at))}</td>
            <td>{makers[made_by]}</td>
            <td>{texts.warningCount(warnings.length)}</td>
            <td>
              <div class="tools">
                {data[index + 1] && (
                  <button
                    type="button"
                    onClick={() => {
                      compared.value = { from: data[index + 1]?.version ?? version, to: version }
                    }}
                  >
                    {texts.compareBefore}
                    <span class="unseen"> {texts.version(version)}</span>
                  </button>
                )}
                {version !== current && (
                  <button
                    type="button"
                    onClick={() => {
                      wanted.value = version
                    }}
                  >
                    {texts.restore}
                    <span class="unseen"> {texts.version(version)}</span>
                  </button>
                )}
              </div>
            </td>
          </tr>
        ))}
      </Wide>
      {(data.length > length.value || (data.length > 0 && data.length % listedRows === 0)) && (
        <button type="button" disabled={isLoading} onClick={() => (length.value *= 2)}>
          {texts.olderVersions}
        </button>
      )}
      {data.length > 1 && (
        <Choice versions={data.map(({ version }) => version)} onChoose={(pair) => (compared.value = pair)} />
      )}
      {compared.value && (
        <Difference key={`${compared.value.from} ${compared.value.to}`} session={session} {...compared.value} />
      )}
      {wanted.value !== undefined && (
        <Dialog title={texts.restoreTitle(wanted.value)} onClose={() => (wanted.value = undefined)}>
          <p>{texts.restoreMeaning(wanted.value, current)}</p>
          {script.pending.value.length > 0 && <p>{texts.saveFirst}</p>}
          <h3>{texts.export}</h3>
          <Exports caseId={caseId} sessionId={sessionId} version={wanted.value} />
          <div class="actions">
            <button type="button" onClick={() => (wanted.value = undefined)}>
              {common.cancel}
            </button>
            <button
              type="button"
              class="primary"
              disabled={script.pending.value.length > 0}
              onClick={() => restore(wanted.value ?? 0)}
            >
              {texts.restore}
            </button>
          </div>
        </Dialog>
      )}
    </div>
  )
}

/** A form in which any two versions are chosen for a comparison. */
function Choice({ versions, onChoose }: { versions: number[]; onChoose(pair: { from: number; to: number }): void }) {
  const select = (name: string, at: number) => (
    <label>
      {name}{' '}
      <select name={name}>
        {versions.map((version, index) => (
          <option key={version} value={version} selected={index === at}>
            {version}
          </option>
        ))}
      </select>
    </label>
  )
  return (
    <form
      class="tools"
      onSubmit={(event) => {
        event.preventDefault()
        const [from = 0, to = 0] = [...new FormData(event.currentTarget).values()].map(Number)
        onChoose({ from, to })
      }}
    >
      {select(texts.from, versions.length - 1)}
      {select(texts.to, 0)}
      <button type="submit">{texts.compare}</button>
    </form>
  )
}
