import type { PageRecord } from '@playtherapy/schema'
import type { ScriptRecord } from '../records/record.ts'
import { inPieces, pieces } from '../records/texts.ts'
import { type ReadScript, recordsOf } from '../scripts/check.ts'

/** Records in a row: PostgreSQL then stores a usual row in place and uncompressed. */
const pageLength = 20
/** Characters after which a row is full. */
const rowCharacters = 65_536
/** Pieces of a record that are searched: 262,144 characters, or ten hours of talk. */
const mostPieces = 4
/** Most characters shown of a speaker's name or a time. */
const labelCharacters = 40

/**
 * Composes Korean syllables, which come in parts from a Mac, as a keyboard types them. A run of marks is composed thirty
 * at a time (stream-safe text format, UAX #15, section 13), because `normalize` needs time by the square of its length.
 * NUL separates the groups, because no stored text contains it.
 */
export const compose = (text: string) =>
  text
    .replace(/\p{M}{30}/gu, '$&\0')
    .normalize('NFC')
    .replaceAll('\0', '')

/**
 * A composed text as it is compared: in lower case and on one line. Every character keeps its place, so a rare letter
 * whose lower case is longer is not changed.
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

/** The first characters of a string, without splitting a surrogate pair; null for anything else. */
const label = (value: unknown) =>
  typeof value === 'string'
    ? Array.from(value.slice(0, 2 * labelCharacters))
        .slice(0, labelCharacters)
        .join('')
    : null

type Page = { firstRecord: number; folded: string; records: PageRecord[] }

/** The rows in which a script is searched. An empty script has one too, so that it is not read again. */
function* toPages(records: ScriptRecord[]): Iterable<Page> {
  const page = (firstRecord: number, shown: PageRecord[]) => ({
    firstRecord,
    folded: shown.map(({ text }) => fold(text)).join('\n'),
    records: shown,
  })
  let shown: PageRecord[] = []
  let length = 0
  for (const [index, record] of records.entries()) {
    const text = compose(pieces(record.text).slice(0, mostPieces).join(''))
    shown.push({
      start_time: label(record.start_time),
      end_time: label(record.end_time),
      speaker: label(record.speaker) ?? '',
      text,
    })
    length += text.length
    if (shown.length < pageLength && length < rowCharacters) continue
    yield page(index + 1 - shown.length, shown)
    shown = []
    length = 0
  }
  if (shown.length > 0 || records.length === 0) yield page(records.length - shown.length, shown)
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

/** Bytes of JSON after which a batch of rows is full. */
const batchBytes = 256 * 1024

/** The rows in which a stored script is searched, in batches, each a JSON array. */
export function pageScript({ script }: { script: ReadScript }): Uint8Array[] {
  const batches: Uint8Array[] = []
  let batch = ''
  const close = () => {
    batches.push(Buffer.from(`[${batch}]`))
    batch = ''
  }
  for (const page of toPages(recordsOf(script))) {
    batch += (batch && ',') + JSON.stringify(page)
    if (batch.length >= batchBytes) close()
  }
  if (batch) close()
  return batches
}
