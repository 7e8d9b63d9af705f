import { errors, type Fault, fault } from '@playtherapy/service-kit'
import type { ScriptRecord } from '../records/record.ts'
import { recordTime } from '../records/times.ts'

/** Most records of a script; the same bound holds for scripts sent as JSON. */
const mostRecords = 100_000
/** Most faults that are listed. */
const mostListed = 100

/** A cue of a captions file: its times as a record holds them, and its lines of text, tags and all. */
export interface RawCue {
  start_time: string
  end_time: string
  lines: string[]
}

const clock = String.raw`(?:(\d{1,3}):)?([0-5]?\d):([0-5]\d)[.,](\d{3})`
// What follows the times are settings of WebVTT, or coordinates of SubRip: about places on a screen.
const timing = new RegExp(`^[ \\t]*${clock}[ \\t]*-->[ \\t]*${clock}(?:[ \\t].*)?$`)

const ms = (hours: string | undefined, minutes = '', seconds = '', thousandths = '') =>
  ((Number(hours ?? 0) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Number(thousandths)

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** The lines of a captions file. Throws 422 for bytes that are not UTF-8 or that no database can hold. */
export function linesOf(bytes: Uint8Array, place: string[]): string[] {
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    throw fault(place, 'is not UTF-8')
  }
  if (text.includes('\0')) throw fault(place, 'has a character that cannot be stored')
  return text.split(/\r\n|\r|\n/)
}

/**
 * The cues among these lines: blocks between blank lines that hold a line of times, after at most one line that names
 * the cue. A block without an arrow is a comment, a style or a region where `comments` says that such are allowed.
 * Nothing is dropped in silence: a block that cannot be read is a fault of 422 at the number of its first line,
 * and so is a second line of times, whose blank line before it is missing.
 */
export function readCues(lines: string[], place: string[], comments: boolean): RawCue[] {
  const cues: RawCue[] = []
  const faults: Fault[] = []
  for (let first = 0; first < lines.length; first++) {
    if (lines[first]?.trim() === '') continue
    let last = first
    while (last + 1 < lines.length && lines[last + 1]?.trim() !== '') last++
    const block = lines.slice(first, last + 1)
    const at = block.findIndex((line) => line.includes('-->'))
    const times = at === 0 || at === 1 ? timing.exec(block[at] ?? '') : null
    const second = block.findIndex((line, index) => index > at && timing.test(line))
    if (times && second < 0) {
      const [, h1, m1, s1, t1, h2, m2, s2, t2] = times
      const start_time = recordTime(ms(h1, m1, s1, t1))
      cues.push({ start_time, end_time: recordTime(ms(h2, m2, s2, t2)), lines: block.slice(at + 1) })
    } else if (at >= 0 || !comments) {
      const line = first + 1 + (times ? second : 0)
      faults.push({
        loc: [...place, line],
        msg: 'must be a cue: HH:MM:SS.mmm --> HH:MM:SS.mmm and its text',
        type: 'cue',
      })
    }
    if (faults.length >= mostListed || cues.length > mostRecords) break
    first = last
  }
  if (faults.length > 0) throw errors.invalidInput(faults)
  return cues
}

/** Throws 422 when a captions file makes more records than a script may have. */
export function boundedRecords(records: ScriptRecord[], place: string[]): ScriptRecord[] {
  if (records.length > mostRecords) throw fault(place, `must be at most ${mostRecords} cues`, 'maxItems')
  return records
}

// Forty characters are a name, more are a sentence that has a colon.
const label = /^\[?([^:[\]\n]{1,40})\]?:[ \t]+/

/** Text that names its speaker as `T: …` or `[T]: …`, taken apart; the speaker is empty where none is named. */
export function labelled(text: string): { speaker: string; text: string } {
  const found = label.exec(text)
  return { speaker: found?.[1]?.trim() ?? '', text: text.slice(found?.[0].length ?? 0) }
}
