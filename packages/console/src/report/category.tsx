import type { ReportsGetVersionResponse } from '@playtherapy/client'
import { useId, useState } from 'preact/hooks'
import { timeOf } from '../script/records.ts'
import type { Playback } from '../session/playback.ts'
import { texts } from '../texts/report.ts'
import { readInteraction } from './interaction.ts'
import type { Quotes } from './quotes.ts'

type Scored = ReportsGetVersionResponse['reports'][string]

/** Number of interactions that are shown at first, and that each click adds. */
const [first, further] = [5, 50]

/** One category of a report. */
export function Category({
  name,
  scored,
  quotes,
  playback,
}: {
  name: string
  scored: Scored
  quotes: Quotes
  playback: Playback
}) {
  const id = useId()
  const [count, setCount] = useState(first)
  const { category, level, descriptions, interactions } = scored
  const left = interactions.length - count
  return (
    <article class="paper stack category" aria-labelledby={id}>
      <div class="row">
        <h2 id={id}>
          <bdi>{category || name}</bdi>
        </h2>
        <Level level={level} />
      </div>
      {descriptions && <p class="words">{descriptions}</p>}
      {interactions.length > 0 && (
        <ol class="interactions">
          {numbered(interactions.slice(0, count)).map(({ at, sent }) => (
            <li key={at}>
              <InteractionPart sent={sent} quotes={quotes} playback={playback} />
            </li>
          ))}
        </ol>
      )}
      {left > 0 && (
        <button type="button" class="bare" onClick={() => setCount(count + further)}>
          {texts.more(left)}
        </button>
      )}
    </article>
  )
}

const numbered = (interactions: readonly object[]) => interactions.map((sent, at) => ({ at, sent: { ...sent } }))

/** A level in words and as a picture. */
function Level({ level }: { level: number }) {
  if (level < 0) return <span class="state error">{texts.notScored}</span>
  return (
    <span class="level">
      <meter min={0} max={4} value={level} aria-hidden="true" /> {texts.level(level)}
    </span>
  )
}

function InteractionPart({
  sent,
  quotes,
  playback,
}: {
  sent: Record<string, unknown>
  quotes: Quotes
  playback: Playback
}) {
  const { quotes: said, notes } = readInteraction(sent)
  const seconds = quotes.secondsOf(said.map(({ text }) => text))
  return (
    <>
      {said.map(({ by, text }, index) => (
        <div key={by} class="quote">
          <span class="by quiet">{by}</span>
          <q class="words">{text}</q>
          <Jump second={seconds[index]} text={text} playback={playback} />
        </div>
      ))}
      {notes.map(({ name, text }) => (
        <p key={name} class="words quiet">
          {/^descriptions?$/i.test(name) ? text : `${name}: ${text}`}
        </p>
      ))}
    </>
  )
}

/** Plays the recording from the second at which a quote was said. */
function Jump({ second, text, playback }: { second: number | undefined; text: string; playback: Playback }) {
  if (second === undefined) return null
  const time = timeOf(Math.floor(second))
  return (
    <button
      type="button"
      class="bare jump"
      aria-label={texts.jump(time, text.length > 80 ? `${text.slice(0, 80)}…` : text)}
      onClick={() => playback.seek(second)}
    >
      {time}
    </button>
  )
}
