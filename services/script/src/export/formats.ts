import type { ScriptRecord } from '../records/record.ts'
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
