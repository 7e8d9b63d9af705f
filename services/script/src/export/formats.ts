import { toBytes } from '../records/bytes.ts'
import type { ScriptRecord } from '../records/record.ts'
import { type ReadScript, recordsOf } from '../scripts/check.ts'
import { scriptLimit } from '../scripts/validate.ts'
import { toCsv } from './csv.ts'
import { toSrt } from './srt.ts'
import { toText } from './text.ts'
import { toVtt } from './vtt.ts'
import { toXlsx } from './xlsx.ts'

export interface ExportFormat {
  /** Its media type, as sent in Content-Type and asked for in Accept. */
  type: string
  /** Its text, part by part, or its bytes. */
  write(records: ScriptRecord[]): Iterable<string> | Promise<Uint8Array>
}

/** The formats a script is exported to, by the suffix of the file. */
export const exportFormats = {
  vtt: { type: 'text/vtt; charset=utf-8', write: toVtt },
  srt: { type: 'application/x-subrip; charset=utf-8', write: toSrt },
  txt: { type: 'text/plain; charset=utf-8', write: toText },
  csv: { type: 'text/csv; charset=utf-8; header=present', write: toCsv },
  xlsx: { type: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', write: toXlsx },
} satisfies Record<string, ExportFormat>

/** Most bytes of a file: a text of `&` alone would be five times as long in WebVTT. */
const fileLimit = 2 * scriptLimit

/** A stored script as a file. Throws 413 when it is larger than twice the largest script. */
export async function exportTo({ script, format }: { script: ReadScript; format: keyof typeof exportFormats }) {
  const { write }: ExportFormat = exportFormats[format]
  const file = await write(recordsOf(script))
  return file instanceof Uint8Array ? file : toBytes(file, fileLimit)
}
