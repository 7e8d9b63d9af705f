import { type Change, newRow, type Row } from './change.ts'
import { type ScriptRecord, secondsOf, timeOf } from './records.ts'

/** A change that replaces the rows `before`, which begin at index `at`. */
const changeAt = (rows: readonly Row[], at: number, before: Row[], after: Row[]): Change => ({
  above: rows[at - 1]?.key ?? null,
  at,
  before,
  after,
})

export const emptyRecord = (speaker: string): ScriptRecord => ({ start_time: '', end_time: '', speaker, text: '' })

export const editRow = (rows: readonly Row[], at: number, row: Row, record: ScriptRecord): Change =>
  changeAt(rows, at, [row], [{ key: row.key, record }])

export const removeRow = (rows: readonly Row[], at: number, row: Row): Change => changeAt(rows, at, [row], [])

export const insertRow = (rows: readonly Row[], at: number, row: Row): Change => changeAt(rows, at, [], [row])

/** The offset of the grapheme that contains `caret`, so that no emoji and no syllable of Hangul is divided. In UTF-16 units. */
export function betweenCharacters(text: string, caret: number): number {
  if (caret <= 0 || caret >= text.length) return Math.max(0, Math.min(caret, text.length))
  // Only a part around the caret is segmented, because a text of a megabyte would take long.
  const from = Math.max(0, caret - 200)
  const piece = text.slice(from, caret + 200)
  const found = new Intl.Segmenter().segment(piece).containing(caret - from)
  return from + (found ? found.index : caret - from)
}

/** The time at this share of a record's duration. It is a whole second if the times of the record are and one lies between them. */
function timeWithin({ start_time, end_time }: ScriptRecord, share: number): string {
  const [start, end] = [secondsOf(start_time), secondsOf(end_time)]
  if (start === undefined || end === undefined || end < start) return ''
  const second = start + (end - start) * share
  const whole = Math.round(second)
  const isWhole = Number.isInteger(start) && Number.isInteger(end) && whole > start && whole < end
  return timeOf(isWhole ? whole : second)
}

/** Splits `record`, which is the row as typed, at the caret. Further keys stay with the first half. */
export function splitRow(rows: readonly Row[], at: number, row: Row, record: ScriptRecord, caret: number): Change {
  const place = betweenCharacters(record.text, caret)
  const middle = timeWithin(record, record.text.length === 0 ? 0 : place / record.text.length)
  const first = { ...record, end_time: middle, text: record.text.slice(0, place).trimEnd() }
  const second = {
    start_time: middle,
    end_time: record.end_time ?? '',
    speaker: record.speaker,
    text: record.text.slice(place).trimStart(),
  }
  return changeAt(rows, at, [row], [{ key: row.key, record: first }, newRow(second)])
}

/** Whether a record has any value for a time. */
const isGiven = (time: unknown) => time !== undefined && time !== null && time !== ''

/** Merges `record`, which is the row as typed, with the next one: the result ends when the next one ends, and has the keys of both. */
export function mergeRows(rows: readonly Row[], at: number, row: Row, record: ScriptRecord, next: Row): Change {
  const texts = [record.text.trimEnd(), next.record.text.trimStart()].filter((text) => text !== '')
  const times = {
    ...(!isGiven(record.start_time) && isGiven(next.record.start_time) && { start_time: next.record.start_time }),
    ...(isGiven(next.record.end_time) && { end_time: next.record.end_time }),
  }
  const result = { ...next.record, ...record, ...times, text: texts.join(' ') }
  return changeAt(rows, at, [row, next], [{ key: row.key, record: result }])
}
