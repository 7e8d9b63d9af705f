import type { Playback } from '../session/playback.ts'

export function ReportView({ caseId, sessionId }: { caseId: number; sessionId: number; playback: Playback }) {
  return (
    <section>
      Report of session {sessionId} of case {caseId}
    </section>
  )
}
