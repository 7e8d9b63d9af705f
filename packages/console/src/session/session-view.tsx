import { useMemo } from 'preact/hooks'
import { ReportView } from '../report/report-view.tsx'
import { ScriptView } from '../script/script-view.tsx'
import { createPlayback } from './playback.ts'

/** A session: its recording, and beside it its script or its report. */
export function SessionView({
  caseId,
  sessionId,
  tab,
}: {
  caseId: number
  sessionId: number
  tab: 'script' | 'report'
}) {
  const playback = useMemo(createPlayback, [])
  const shown = { caseId, sessionId, playback }
  return <main>{tab === 'script' ? <ScriptView {...shown} /> : <ReportView {...shown} />}</main>
}
