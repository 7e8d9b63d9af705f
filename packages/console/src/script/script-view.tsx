import type { Playback } from '../session/playback.ts'

export function ScriptView({ caseId, sessionId }: { caseId: number; sessionId: number; playback: Playback }) {
  return (
    <section>
      Script of session {sessionId} of case {caseId}
    </section>
  )
}
