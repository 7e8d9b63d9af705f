import { captionTime } from '@playtherapy/schema'
import type { ScriptRecord } from '../records/record.ts'
import { type Cue, cues } from './cues.ts'
import { spoken } from './vtt.ts'

/** Most records that are shown at once; of more, those that began last. Their lines would cover the picture. */
const mostAtOnce = 8

/** Removes the records that ended before this time from the last of `started`, and returns the last few others. */
function shownAt(started: Cue[], at: number): Cue[] {
  const shown: Cue[] = []
  while (shown.length < mostAtOnce) {
    const cue = started.pop()
    if (!cue) break
    if (cue.end > at) shown.unshift(cue)
  }
  started.push(...shown)
  return shown
}

/**
 * A script as WebVTT for players. Some players show one cue at a time (sampotts/plyr #998), so its cues do not overlap:
 * where people talk at once, one cue has the lines of all, who began first above. `toVtt` has a cue for each record, for
 * editing programs and our import. Cues have no settings: players keep those without a line above their controls.
 */
export function* toCaptions(records: ScriptRecord[]): Iterable<string> {
  yield 'WEBVTT\n'
  const waiting = cues(records)
  const times = Float64Array.from(new Set(waiting.flatMap(({ start, end }) => [start, end]))).sort()
  const started: Cue[] = []
  let next = 0
  for (const [index, from] of times.entries()) {
    for (let cue = waiting[next]; cue && cue.start === from; cue = waiting[++next]) started.push(cue)
    const to = times[index + 1]
    const shown = shownAt(started, from)
    if (to === undefined || shown.length === 0) continue
    yield `\n${captionTime(from, '.')} --> ${captionTime(to, '.')}\n`
    for (const cue of shown) {
      yield* spoken(cue)
      yield '\n'
    }
  }
}
