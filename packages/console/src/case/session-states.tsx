import type { Session, SessionNews } from '@playtherapy/client'
import { texts } from '../texts/case.ts'

const bytesInMegabyte = 1_000_000
const tones = ['', 'started', 'done', 'error', '']

/** The state of the recording in a word. */
function recordingWord({ encoding_state_id: state }: Session, video: SessionNews['video']): string | undefined {
  if (video?.state === 'receiving') return texts.uploading(Math.round((video.received ?? 0) / bytesInMegabyte))
  if (video?.state === 'encoding' && state === 2) {
    const percent = Math.floor(video.progress)
    return video.playable ? texts.playable(percent) : texts.percent(percent)
  }
  return texts.encoding[state - 1]
}

/** The states of the recording, the script and the report of a session. */
export function SessionStates({ session, video }: { session: Session; video: SessionNews['video'] }) {
  const isArriving = video?.state === 'receiving'
  return (
    <ul class="states" aria-label={texts.states(session.name)}>
      <State what={texts.recording} tone={isArriving ? 'started' : tones[session.encoding_state_id - 1]}>
        {recordingWord(session, video)}
      </State>
      <State what={texts.script} tone={tones[session.script_state_id - 1]}>
        {texts.scripting[session.script_state_id - 1]}
      </State>
      <State what={texts.report} tone={tones[session.analyze_state_id - 1]}>
        {texts.analysing[session.analyze_state_id - 1]}
      </State>
    </ul>
  )
}

function State({
  what,
  tone = '',
  children,
}: {
  what: string
  tone?: string | undefined
  children?: string | undefined
}) {
  return (
    <li class={`state ${tone}`}>
      <span class="quiet">{what}</span> {children}
    </li>
  )
}
