import { isUtf8 } from 'node:buffer'
import { errors, type Fault, fault, mostFaults } from '@playtherapy/service-kit'
import type { ScriptRecord } from '../records/record.ts'
import { recordTime } from '../records/times.ts'
import { mostRecords } from '../scripts/validate.ts'

const tooMany = (place: string[]) => fault(place, `must be at most ${mostRecords} cues`, 'maxItems')

/** A cue of a captions file: times in the form of a record, and the text with its tags and `\n` between lines. */
export interface RawCue {
  start_time: string
  end_time: string
  text: string
}

const clock = String.raw`(?:(\d{1,3}):)?([0-5]?\d):([0-5]\d)[.,](\d{3})`
// After the times come WebVTT's settings or SubRip's coordinates, about places on a screen.
const timing = new RegExp(`^[ \\t]*${clock}[ \\t]*-->[ \\t]*${clock}(?:[ \\t].*)?$`)

const ms = (hours: string | undefined, minutes = '', seconds = '', thousandths = '') =>
  ((Number(hours ?? 0) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Number(thousandths)

const [lineFeed, carriageReturn] = [10, 13]

/** Turns every line break into a line feed, in place: ten million of them are too many for a change of the string. */
function withLineFeeds(bytes: Uint8Array): Uint8Array {
  let to = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    if (byte === carriageReturn && bytes[at + 1] === lineFeed) continue
    bytes[to++] = byte === carriageReturn ? lineFeed : byte
  }
  return bytes.subarray(0, to)
}

const utf8 = new TextDecoder()

/** The text, with `\n` between lines; changes the bytes. Throws `errors.invalidInput` unless it is UTF-8 without NUL. */
export function captionsText(bytes: Uint8Array, place: string[]): string {
  if (!isUtf8(bytes)) throw fault(place, 'is not UTF-8')
  if (bytes.includes(0)) throw fault(place, 'has a character that cannot be stored')
  return utf8.decode(withLineFeeds(bytes))
}

interface Line {
  /** From 1, as in an editor. */
  number: number
  text: string
  /** Offset after its last character. */
  end: number
}

function* linesOf(text: string): Iterable<Line> {
  let number = 1
  for (let start = 0; start <= text.length; number++) {
    const found = text.indexOf('\n', start)
    const end = found < 0 ? text.length : found
    yield { number, text: text.slice(start, end), end }
    start = end + 1
  }
}

/** A run of lines that are not blank, as far as it was read. */
interface Block {
  first: Line
  lines: number
  times: RegExpExecArray | null
  /** The line with the first arrow. */
  arrow?: Line
  /** Another line of times: the blank line before it is missing. */
  second?: Line
  end: number
}

function addLine(block: Block, line: Line): void {
  if (block.arrow === undefined && line.text.includes('-->')) {
    block.arrow = line
    block.times = block.lines < 2 ? timing.exec(line.text) : null
  } else if (block.second === undefined && timing.test(line.text)) {
    block.second = line
  }
  block.lines++
  block.end = line.end
}

/**
 * The cues of a text: blocks between blank lines, each with a line of times after at most one line that names the cue. If
 * `comments` is true, a block without an arrow is a comment, a style or a region. Throws `errors.invalidInput` with the
 * first line of each other block, and with each second line of times in a block.
 */
export function readCues(text: string, place: string[], comments: boolean): RawCue[] {
  const cues: RawCue[] = []
  const faults: Fault[] = []
  const close = ({ first, times, arrow, second, end }: Block) => {
    if (times && arrow && !second) {
      const [, h1, m1, s1, t1, h2, m2, s2, t2] = times
      const start_time = recordTime(ms(h1, m1, s1, t1))
      cues.push({ start_time, end_time: recordTime(ms(h2, m2, s2, t2)), text: text.slice(arrow.end + 1, end) })
    } else if (arrow || !comments) {
      const { number } = (times && second) || first
      const msg = 'must be a cue: HH:MM:SS.mmm --> HH:MM:SS.mmm and its text'
      faults.push({ loc: [...place, number], msg, type: 'cue' })
    }
  }
  let block: Block | undefined
  for (const line of linesOf(text)) {
    if (line.text.trim() !== '') {
      block ??= { first: line, lines: 0, times: null, end: line.end }
      addLine(block, line)
      continue
    }
    if (block) close(block)
    block = undefined
    if (faults.length >= mostFaults || cues.length > mostRecords) break
  }
  if (block) close(block)
  if (faults.length > 0) throw errors.invalidInput(faults)
  if (cues.length > mostRecords) throw tooMany(place)
  return cues
}

/** Collects records. Throws `errors.invalidInput` when there are more than `mostRecords`. */
export function boundedRecords(records: Iterable<ScriptRecord>, place: string[]): ScriptRecord[] {
  const kept: ScriptRecord[] = []
  for (const record of records) {
    if (kept.length === mostRecords) throw tooMany(place)
    kept.push(record)
  }
  return kept
}

// More than forty characters before a colon are a sentence and no name.
const label = /^\[?([^:[\]\n]{1,40})\]?:[ \t]+/

/** Splits `T: …` or `[T]: …` into speaker and text; the speaker is empty where none is named. */
export function labelled(text: string): { speaker: string; text: string } {
  const found = label.exec(text)
  return { speaker: found?.[1]?.trim() ?? '', text: text.slice(found?.[0].length ?? 0) }
}
