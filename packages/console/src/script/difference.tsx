import type { ScriptChanges } from '@playtherapy/client'
import { useSignal } from '@preact/signals'
import { diffWordsWithSpace } from 'diff'
import { api } from '../api.ts'
import { Busy } from '../parts/busy.tsx'
import { Notice } from '../parts/notice.tsx'
import { useLoad } from '../parts/use-load.ts'
import { texts } from '../texts/script.ts'
import { fields, shown } from './records.ts'

/** Number of differences that are drawn at first, and that each click adds. */
const pageChanges = 100
/** Both texts together may have so many UTF-16 units if their words are compared; longer texts are shown whole, each cut at this length. */
const mostCharacters = 20_000

type Difference = ScriptChanges['changes'][number]

/** Shows the difference between two versions, record by record, with the words that were added and removed. */
export function Difference({
  session,
  from,
  to,
}: {
  session: { case_id: number; session_id: number }
  from: number
  to: number
}) {
  const { data, failure, reload } = useLoad(
    (signal) => api.scriptVersions.compare({ ...session, from, to }, { signal }),
    [from, to],
  )
  const length = useSignal(pageChanges)
  if (failure !== undefined) return <Notice failure={failure} onRetry={reload} />
  if (!data) return <Busy />
  const { counts, changes } = data
  const left = changes.length - length.value
  return (
    <section class="differences" aria-label={texts.differences(from, to)}>
      <h4>{texts.differences(from, to)}</h4>
      <p class="quiet" role="status">
        {changes.length === 0
          ? texts.noDifferences
          : texts.differenceCounts(changes.length - counts.added - counts.removed, counts.added, counts.removed)}
      </p>
      <ol>
        {changes.slice(0, length.value).map((change) => (
          <li key={`${change.before?.index} ${change.after?.index}`}>
            <Changed change={change} />
          </li>
        ))}
      </ol>
      {left > 0 && (
        <button type="button" onClick={() => (length.value += pageChanges)}>
          {texts.showMore(Math.min(left, pageChanges))}
        </button>
      )}
    </section>
  )
}

function Changed({ change: { kinds, before, after } }: { change: Difference }) {
  const title = before && after ? texts.changed : after ? texts.added : texts.removed
  return (
    <>
      <p class="quiet">{title}</p>
      {fields.map((field) => {
        const [old, now] = [before, after].map((place) => (place ? shown(place.record, field) : ''))
        return (
          (old || now) && (
            <p key={field} class={field} dir="auto">
              <Words before={old ?? ''} after={now ?? ''} />
            </p>
          )
        )
      })}
      {kinds.includes('other') && <p class="quiet">{texts.otherKeys}</p>}
    </>
  )
}

/** Shows two texts as one, with its removed, added and equal words. `Intl.Segmenter` finds the words, so that no emoji is divided. */
function Words({ before, after }: { before: string; after: string }) {
  if (before === after) return <>{before}</>
  const isLong = before.length + after.length > mostCharacters
  const parts = isLong
    ? undefined
    : diffWordsWithSpace(before, after, {
        intlSegmenter: new Intl.Segmenter(undefined, { granularity: 'word' }),
        maxEditLength: 2_000,
      })
  if (!parts)
    return (
      <>
        {before && <del>{before.slice(0, mostCharacters)}</del>}
        {after && <ins>{after.slice(0, mostCharacters)}</ins>}
      </>
    )
  return (
    <>{parts.map(({ value, added, removed }) => (added ? <ins>{value}</ins> : removed ? <del>{value}</del> : value))}</>
  )
}
