import type { ComponentChildren } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { Busy } from '../parts/busy.tsx'
import { Heading } from '../parts/heading.tsx'
import { Notice } from '../parts/notice.tsx'
import { ReportView } from '../report/report-view.tsx'
import { casePath, casesPath, reportPath, sessionPath, wantedSecond } from '../route.ts'
import { ScriptView } from '../script/script-view.tsx'
import { texts as shared } from '../texts/parts.ts'
import { texts } from '../texts/session.ts'
import { createPlayback } from './playback.ts'
import { useSession } from './recording.ts'
import { RecordingPart } from './recording-part.tsx'

type TabName = 'script' | 'report'

/** A session: its recording, and beside it its script or its report. */
export function SessionView({ caseId, sessionId, tab }: { caseId: number; sessionId: number; tab: TabName }) {
  const playback = useMemo(createPlayback, [])
  const { now, caseName = texts.case, failure, reload } = useSession(caseId, sessionId)
  const second = wantedSecond.value
  useEffect(() => {
    if (second !== undefined) playback.seek(second)
  }, [playback, second])
  const trail = [
    { path: casesPath, name: texts.cases },
    { path: casePath(caseId), name: caseName },
  ]
  if (!now) return <main>{failure === undefined ? <Busy /> : <Notice failure={failure} onRetry={reload} />}</main>
  return (
    <main class="session">
      <Heading title={now.name} trail={trail} />
      {failure !== undefined && <Notice failure={failure} onRetry={reload} />}
      <div class="halves">
        <div class="watch stack">
          {now.deleted ? (
            <Notice tone="caution">
              <p>{shared.noSession}</p>
            </Notice>
          ) : (
            <RecordingPart caseId={caseId} sessionId={sessionId} playback={playback} now={now} />
          )}
        </div>
        <div class="read">
          <nav class="tabs" aria-label={texts.tabs}>
            <a href={sessionPath(caseId, sessionId)} aria-current={tab === 'script' ? 'page' : undefined}>
              {texts.script}
            </a>
            <a href={reportPath(caseId, sessionId)} aria-current={tab === 'report' ? 'page' : undefined}>
              {texts.report}
            </a>
          </nav>
          <Kept isShown={tab === 'script'}>
            <ScriptView caseId={caseId} sessionId={sessionId} playback={playback} />
          </Kept>
          <Kept isShown={tab === 'report'}>
            <ReportView caseId={caseId} sessionId={sessionId} playback={playback} />
          </Kept>
        </div>
      </div>
    </main>
  )
}

/** Keeps what was shown once, with all that was typed in it, while the other tab is looked at. */
function Kept({ isShown, children }: { isShown: boolean; children: ComponentChildren }) {
  const [wasShown, setWasShown] = useState(isShown)
  useEffect(() => {
    if (isShown) setWasShown(true)
  }, [isShown])
  return isShown || wasShown ? <div hidden={!isShown}>{children}</div> : null
}
