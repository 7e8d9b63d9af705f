import { errors, type Fault, fault, mostFaults } from '@playtherapy/service-kit'
import { mostRecords, recordTime, type ScriptRecord, saidIn, timing } from '@playtherapy/versions/records'
import { type Line, linesOf } from './lines.ts'

/** A cue of a captions file: times in the form of a record, and the text with its markup and `\n` between lines. */
interface RawCue {
  start_time: string
  end_time: string
  text: string
}

/** What a format allows beside times and texts. */
export interface Dialect {
  /** Whether a line, alone before the times of a cue, is its name. */
  isName(line: string): boolean
  /** Whether a block that begins with this line is no cue but a comment, for example. */
  isOther(line: string): boolean
}

/** Lines without an empty one between them, as far as they were read. */
interface Block {
  first: Line
  /** How many lines are not white, before the times. */
  before: number
  times: RegExpExecArray | null
  /** Offsets of the text. */
  from: number
  to: number
  /** White lines, perhaps with a number below: where the text ends if another cue follows. */
  pause?: { to: number; isNumbered: boolean } | undefined
}

const isWhite = (line: string) => line.trim() === ''
const isNumber = (line: string) => /^\d+$/.test(line.trim())

const ms = (hours: string | undefined, minutes = '', seconds = '', thousandths = '') =>
  ((Number(hours ?? 0) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Number(thousandths)

function toCue(text: string, [, h1, m1, s1, t1, h2, m2, s2, t2]: RegExpExecArray, from: number, to: number): RawCue {
  return {
    start_time: recordTime(ms(h1, m1, s1, t1)),
    end_time: recordTime(ms(h2, m2, s2, t2)),
    text: text.slice(from, to),
  }
}

const blockFrom = (first: Line, times: RegExpExecArray | null): Block => ({
  first,
  before: times ? 0 : 1,
  times,
  from: first.end + 1,
  to: first.end,
})

function addLine(block: Block, line: Line): void {
  if (!block.times) {
    if (!isWhite(line.text)) block.before++
    return
  }
  if (isWhite(line.text)) {
    if (!block.pause || block.pause.isNumbered) block.pause = { to: block.to, isNumbered: false }
  } else if (block.pause && !block.pause.isNumbered && isNumber(line.text)) block.pause.isNumbered = true
  else block.pause = undefined
  block.to = line.end
}

/** The cues of a text, and the first line of each thing that is not understood. */
function* cuesOf(text: string, { isName, isOther }: Dialect): Iterable<RawCue | Line> {
  let block: Block | undefined
  for (const line of linesOf(text)) {
    const times = timing.exec(line.text)
    if (line.text === '') {
      if (block) yield* ended(text, block, isOther)
      block = undefined
    } else if (!times) {
      if (block) addLine(block, line)
      else if (!isWhite(line.text)) block = blockFrom(line, null)
    } else if (block?.times && !block.pause) {
      yield line
    } else {
      if (block?.times && block.pause) yield toCue(text, block.times, block.from, block.pause.to)
      else if (block && !isOther(block.first.text) && (block.before > 1 || !isName(block.first.text))) yield block.first
      block = blockFrom(line, times)
    }
  }
  if (block) yield* ended(text, block, isOther)
}

function* ended(text: string, { first, times, from, to }: Block, isOther: Dialect['isOther']): Iterable<RawCue | Line> {
  if (times) yield toCue(text, times, from, to)
  else if (!isOther(first.text)) yield first
}

/**
 * The records of a captions file, in order: one for each speaker of a cue, with the cue's times. A cue ends at an empty
 * line, or at white lines before another cue. Throws `errors.invalidInput` with the lines of all that is neither a cue
 * nor `isOther`, also of times without such a line above, and when there are more records than a script may have.
 */
export function readRecords(text: string, place: string[], dialect: Dialect): ScriptRecord[] {
  const records: ScriptRecord[] = []
  const faults: Fault[] = []
  for (const found of cuesOf(text, dialect)) {
    if ('number' in found) {
      const msg = 'must be a cue: HH:MM:SS.mmm --> HH:MM:SS.mmm and its text'
      if (faults.push({ loc: [...place, found.number], msg, type: 'cue' }) === mostFaults) break
      continue
    }
    const { text: said, ...times } = found
    for (const record of saidIn(said)) {
      if (records.push({ ...times, ...record }) > mostRecords)
        throw fault(place, `must be at most ${mostRecords} cues`, 'maxItems')
    }
  }
  if (faults.length > 0) throw errors.invalidInput(faults)
  return records
}
