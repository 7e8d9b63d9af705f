import { compose, fold, type PageRecord } from '@playtherapy/schema'
import { pieces, type ScriptRecord } from '@playtherapy/versions/records'
import { type ReadScript, recordsOf } from '../scripts/check.ts'

/** Records in a row: PostgreSQL then stores a usual row in place and uncompressed. */
const pageLength = 20
/** Characters after which a row is full. */
const rowCharacters = 65_536
/** Pieces of a record that are searched: 262,144 characters, or ten hours of talk. */
const mostPieces = 4
/** Most characters shown of a speaker's name or a time. */
const labelCharacters = 40

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
  let shown: PageRecord[] = []
  let folded: string[] = []
  const page = (next: number) => ({ firstRecord: next - shown.length, folded: folded.join('\n'), records: shown })
  let length = 0
  for (const [index, record] of records.entries()) {
    const searched = pieces(record.text).slice(0, mostPieces).join('')
    const text = compose(searched)
    folded.push(fold(searched))
    shown.push({
      start_time: label(record.start_time),
      end_time: label(record.end_time),
      speaker: label(record.speaker) ?? '',
      text,
    })
    length += text.length
    if (shown.length < pageLength && length < rowCharacters) continue
    yield page(index + 1)
    shown = []
    folded = []
    length = 0
  }
  if (shown.length > 0 || records.length === 0) yield page(records.length)
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
