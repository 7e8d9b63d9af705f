import type { PageRecord } from '@playtherapy/schema'
import type { ScriptRecord } from '../records/record.ts'
import { inPieces } from '../records/texts.ts'

/** Records that share a row: one of usual length then stays in its place, uncompressed. */
const pageLength = 20
/** Most characters shown of a speaker's name or a time. */
const longestLabel = 40

/**
 * Korean from a Mac comes in parts of syllables; joined, it is what a keyboard types. A run of marks is composed thirty
 * at a time, as in the stream-safe text format (UAX #15, section 13): the time that `normalize` takes grows with the
 * square of the run. NUL parts them, which no text of ours has.
 */
export const compose = (text: string) =>
  text
    .replace(/\p{M}{30}/gu, '$&\0')
    .normalize('NFC')
    .replaceAll('\0', '')

/**
 * A composed text as it is compared: in lower case and on one line. Character for character as long as the original,
 * so that a place in one is that place in the other; the rare letter whose lower case is longer stays.
 */
export const fold = (text: string): string =>
  inPieces(text, (part) =>
    part
      .replace(/\p{Lu}/gu, (letter) => {
        const lower = letter.toLowerCase()
        return lower.length === letter.length ? lower : letter
      })
      .replaceAll('\n', ' '),
  )

/** The first characters of a text, none of them halved; null for anything else. */
const label = (value: unknown) =>
  typeof value === 'string'
    ? Array.from(value.slice(0, 2 * longestLabel))
        .slice(0, longestLabel)
        .join('')
    : null

interface Page {
  firstRecord: number
  folded: string
  records: PageRecord[]
}

/** The rows in which a script is searched. An empty script has one, too: it shows that there is nothing to be made. */
export function* toPages(records: ScriptRecord[]): Iterable<Page> {
  for (let firstRecord = 0; firstRecord === 0 || firstRecord < records.length; firstRecord += pageLength) {
    const shown = records.slice(firstRecord, firstRecord + pageLength).map((record) => ({
      start_time: label(record.start_time),
      end_time: label(record.end_time),
      speaker: label(record.speaker) ?? '',
      text: compose(record.text),
    }))
    yield { firstRecord, folded: shown.map(({ text }) => fold(text)).join('\n'), records: shown }
  }
}

/** Every place of a folded keyword in a composed text, without overlaps. */
export function places(text: string, keyword: string): { start: number; end: number }[] {
  const folded = fold(text)
  const found: { start: number; end: number }[] = []
  for (let at = folded.indexOf(keyword); at >= 0; at = folded.indexOf(keyword, at + keyword.length)) {
    found.push({ start: at, end: at + keyword.length })
  }
  return found
}
