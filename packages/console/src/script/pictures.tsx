import type { SpeakerSummary } from '@playtherapy/client'
import { useMemo } from 'preact/hooks'
import { api } from '../api.ts'
import { Busy } from '../parts/busy.tsx'
import { Chart } from '../parts/chart.tsx'
import { Notice } from '../parts/notice.tsx'
import { useLoad } from '../parts/use-load.ts'
import { Wide } from '../parts/wide.tsx'
import type { Playback } from '../session/playback.ts'
import { language } from '../texts/language.ts'
import { texts } from '../texts/script.ts'
import type { Row } from './change.ts'
import { turnsChart } from './turns-chart.ts'
import type { Opened } from './use-script.ts'

/** Shows the turns of the speakers over the recording, their shares of the talk, and their response latencies. */
export function Pictures({
  opened: { script },
  playback,
  caseId,
  sessionId,
}: {
  opened: Opened
  playback: Playback
  caseId: number
  sessionId: number
}) {
  const version = script.version.value ?? 0
  const { data, failure, reload } = useLoad(
    (signal) => api.scripts.summarize({ case_id: caseId, session_id: sessionId }, { signal }),
    [version],
  )
  if (!data) return failure === undefined ? <Busy /> : <Notice failure={failure} onRetry={reload} />
  if (data.speakers.length === 0) return <p>{texts.noFigures}</p>
  const { silences, speakers } = data
  return (
    <div class="stack">
      <Turns rows={script.stored.value} playback={playback} />
      <Wide
        label={texts.speakers}
        columns={[
          texts.speaker,
          texts.talkShare,
          texts.wordShare,
          texts.latency,
          texts.turnCount,
          texts.words,
          texts.meanLength,
          texts.questions,
          texts.overlaps,
        ]}
      >
        {speakers.map((speaker) => (
          <SpeakerRow
            key={`${speaker.role} ${speaker.speaker}`}
            speaker={speaker}
            longestMs={Math.max(...speakers.map(({ responses }) => responses.median_ms ?? 0), 1)}
          />
        ))}
      </Wide>
      <p class="hint">{texts.latencyHint}</p>
      <p class="quiet">
        {texts.silences(silences.count, secondsText(silences.total_ms), secondsText(silences.longest_ms ?? 0))}
      </p>
    </div>
  )
}

const secondsText = (ms: number) =>
  texts.seconds(new Intl.NumberFormat(language.value, { maximumFractionDigits: 1 }).format(ms / 1000))

function SpeakerRow({
  speaker: { speaker, responses, ...figures },
  longestMs,
}: {
  speaker: SpeakerSummary
  longestMs: number
}) {
  const share = new Intl.NumberFormat(language.value, { style: 'percent', maximumFractionDigits: 1 })
  const { median_ms: median, mean_ms: mean } = responses
  const part = (value: number | null) => (value === null ? undefined : { part: value, label: share.format(value) })
  return (
    <tr>
      <th scope="row" dir="auto">
        {speaker}
      </th>
      <Bar {...part(figures.time_share)} />
      <Bar {...part(figures.word_share)} />
      <Bar
        {...(median !== null && {
          part: median / longestMs,
          label: `${secondsText(median)} (${texts.latencyMean} ${secondsText(mean ?? 0)})`,
        })}
      />
      <td>{figures.turns}</td>
      <td>{figures.words}</td>
      <td>{figures.mean_length}</td>
      <td>{figures.questions}</td>
      <td>{responses.overlaps}</td>
    </tr>
  )
}

function Bar({ part = 0, label = texts.unknown }: { part?: number; label?: string }) {
  return (
    <td class="bar">
      <span>{label}</span>
      <span class="measure" aria-hidden="true" style={{ width: `${part * 100}%` }} />
    </td>
  )
}

function Turns({ rows, playback }: { rows: readonly Row[]; playback: Playback }) {
  const chart = useMemo(() => turnsChart(rows), [rows])
  if (!chart) return null
  return (
    <figure class="turns">
      <figcaption>
        {texts.turns}. <span class="quiet">{texts.turnsHint}</span>
      </figcaption>
      {/* Each turn is also a record of the list above, with a button that plays it. */}
      <Chart label={texts.turns} {...chart} onPick={(_, second) => playback.seek(second)} />
    </figure>
  )
}
