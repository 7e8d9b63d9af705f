import type { PageRecord } from '@playtherapy/schema'
import type { ScriptRecord } from '../records/record.ts'

/** Records that share a row: one of usual length then stays in its place, uncompressed. */
const pageLength = 20
/** Most characters shown of a speaker's name or a time. */
const longestLabel = 40

/** Korean from a Mac comes in parts of syllables; joined, it is what a keyboard types. */
export const compose = (text: string) => text.normalize('NFC')

/**
 * A composed text as it is compared: in lower case and on one line. Character for character as long as the original,
 * so that a place in one is that place in the other; the rare letter whose lower case is longer stays.
 */
export const fold = (text: string): string =>
  text
    .replace(/\p{Lu}/gu, (letter) => {
      const lower = letter.toLowerCase()
      return lower.length === letter.length ? lower : letter
    })
    .replaceAll('\n', ' ')

/** The first characters of a text, none of them halved; null for anything else. */
const label = (value: unknown) =>
  typeof value === 'string'
    ? Array.from(value.slice(0, 2 * longestLabel))
        .slice(0, longestLabel)
        .join('')
    : null

export interface Page {
  firstRecord: number
  folded: string
  records: PageRecord[]
}

/** The rows in which a script is searched. An empty script has one, too: it shows that there is nothing to be made. */
export function toPages(records: ScriptRecord[]): Page[] {
  const pages: Page[] = []
  for (let firstRecord = 0; firstRecord === 0 || firstRecord < records.length; firstRecord += pageLength) {
    const shown = records.slice(firstRecord, firstRecord + pageLength).map((record) => ({
      start_time: label(record.start_time),
      end_time: label(record.end_time),
      speaker: label(record.speaker) ?? '',
      text: compose(record.text),
    }))
    pages.push({ firstRecord, folded: shown.map(({ text }) => fold(text)).join('\n'), records: shown })
  }
  return pages
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
