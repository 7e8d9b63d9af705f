import type { ScriptRecord } from './record.ts'
import { squeezed } from './texts.ts'
import { parseTime } from './times.ts'

/** A record as captions show it: times in milliseconds, the end after the start, and a trimmed text with words. */
export interface Cue {
  start: number
  end: number
  speaker: string
  text: string
}

/** Longest time for which a record of unknown end is shown. */
const guessMs = 5_000

/** The first of these ascending numbers that is greater than `value`. */
function firstAfter(ascending: number[], value: number): number | undefined {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ascending[middle] ?? 0) > value) high = middle
    else low = middle + 1
  }
  return ascending[low]
}

/**
 * The records that captions can show, ordered by start. Records without words are left out. Known times are kept, also
 * those after the video's end. A missing or odd start becomes the end of the record above, or zero. An end that is not
 * after its start becomes the nearest later start of any record, at most five seconds away.
 */
export function cues(records: ScriptRecord[]): Cue[] {
  const starts = records.map((record) => parseTime(record.start_time))
  const ascending = starts.filter((start) => start !== undefined).sort((a, b) => a - b)
  const placed: Cue[] = []
  let above = 0
  for (const [index, { end_time, speaker, text }] of records.entries()) {
    const start = starts[index] ?? above
    const known = parseTime(end_time) ?? 0
    const longest = start + guessMs
    const end = known > start ? known : Math.min(firstAfter(ascending, start) ?? longest, longest)
    above = end
    if (/\S/.test(text)) placed.push({ start, end, speaker: squeezed(speaker), text: text.trim() })
  }
  return placed.sort((a, b) => a.start - b.start)
}
