import type { ReportVersion } from '@playtherapy/client'
import { useMemo, useState } from 'preact/hooks'
import { api } from '../api.ts'
import { newsOf } from '../live.ts'
import { Busy } from '../parts/busy.tsx'
import { Field } from '../parts/field.tsx'
import { Notice } from '../parts/notice.tsx'
import { useLoad } from '../parts/use-load.ts'
import type { Playback } from '../session/playback.ts'
import { language } from '../texts/language.ts'
import { texts } from '../texts/report.ts'
import { Category } from './category.tsx'
import { findQuotes } from './quotes.ts'

/** An analysis report of a session, at first the newest: levels, descriptions, and quotes that lead to their second. */
export function ReportView({ caseId, sessionId, playback }: { caseId: number; sessionId: number; playback: Playback }) {
  const ids = { case_id: caseId, session_id: sessionId }
  const news = newsOf(sessionId).value
  const made = [sessionId, news?.report?.version, news?.script?.version]
  const [chosen, setChosen] = useState<number>()
  const { data: versions, failure, reload } = useLoad((signal) => api.reports.listVersions(ids, { signal }), made)
  if (!versions) return failure === undefined ? <Busy /> : <Notice failure={failure} onRetry={reload} />
  const shown = versions.find(({ version }) => version === chosen) ?? versions[0]
  return (
    <section class="report stack" aria-label={texts.report}>
      {failure !== undefined && <Notice failure={failure} onRetry={reload} />}
      {shown ? (
        <>
          {versions.length > 1 && (
            <Field label={texts.version}>
              {(control) => (
                <select
                  {...control}
                  value={shown.version}
                  onChange={({ currentTarget: { value } }) => setChosen(Number(value))}
                >
                  {versions.map(({ version, created_at: at }, index) => (
                    <option key={version} value={version}>
                      {texts.versionOf(version, momentOf(at), index === 0)}
                    </option>
                  ))}
                </select>
              )}
            </Field>
          )}
          <Provenance of={shown} isNewest={shown === versions[0]} />
          <Scores key={shown.version} ids={ids} of={shown} playback={playback} />
        </>
      ) : (
        <NoReport ids={ids} state={news?.session?.analyze_state_id} />
      )}
    </section>
  )
}

type Ids = { case_id: number; session_id: number }

const momentOf = (at: string) =>
  new Intl.DateTimeFormat(language.value, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(at))

/** Says when a report was made, from which version of the script, and whether that is still the current version. */
function Provenance({ of, isNewest }: { of: ReportVersion; isNewest: boolean }) {
  return (
    <>
      <p class="quiet">{texts.made(momentOf(of.created_at), of.script_version)}</p>
      {of.stale && <Notice tone="caution">{<p>{isNewest ? texts.stale : texts.staleOlder}</p>}</Notice>}
    </>
  )
}

/** Says why there is no report. */
function NoReport({ ids, state: told }: { ids: Ids; state: number | undefined }) {
  const { data } = useLoad((signal) => api.sessions.get(ids, { signal }), [ids.session_id])
  const state = told ?? data?.analyze_state_id
  return <Notice>{<p>{state === 1 || state === 2 ? texts.coming : state === 4 ? texts.failed : texts.none}</p>}</Notice>
}

function Scores({ ids, of, playback }: { ids: Ids; of: ReportVersion; playback: Playback }) {
  const { version } = of
  const newest = newsOf(ids.session_id).value?.script?.version
  const hasScript = newest !== undefined || of.script_version !== null
  const {
    data: report,
    failure,
    reload,
  } = useLoad((signal) => api.reports.getVersion({ ...ids, version }, { signal }), [version])
  // Without a script the quotes have no links. The view of the script explains a failure.
  const { data: script } = useLoad(
    async (signal) => (hasScript ? api.scripts.get(ids, { signal }).catch(() => null) : null),
    [ids.session_id, newest, hasScript],
  )
  const records = script?.data.scripts
  const quotes = useMemo(() => findQuotes(Array.isArray(records) ? records : []), [records])
  if (!report) return failure === undefined ? <Busy /> : <Notice failure={failure} onRetry={reload} />
  const entries = Object.entries(report.reports)
  return (
    <>
      {entries.length === 0 && <p class="quiet">{texts.empty}</p>}
      {entries.map(([name, scored]) => (
        <Category key={`=${name}`} name={name} scored={scored} quotes={quotes} playback={playback} />
      ))}
    </>
  )
}
