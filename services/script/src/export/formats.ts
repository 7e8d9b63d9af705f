import { type ScriptRecord, scriptBytes, toText, toVtt } from '@playtherapy/versions/records'
import { toBytes } from '../records/bytes.ts'
import { type ReadScript, recordsOf } from '../scripts/check.ts'
import { toCaptions } from './captions.ts'
import { toCsv } from './csv.ts'
import { toSrt } from './srt.ts'
import { toXlsx } from './xlsx.ts'

export interface ExportFormat {
  /** Media type, for Content-Type and Accept. */
  type: string
  /** Returns the file's text in parts, or its bytes. */
  write(records: ScriptRecord[]): Iterable<string> | Promise<Uint8Array>
}

/** The export formats by file suffix. */
export const exportFormats = {
  vtt: { type: 'text/vtt; charset=utf-8', write: toVtt },
  srt: { type: 'application/x-subrip; charset=utf-8', write: toSrt },
  txt: { type: 'text/plain; charset=utf-8', write: toText },
  csv: { type: 'text/csv; charset=utf-8; header=present', write: toCsv },
  xlsx: { type: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', write: toXlsx },
} satisfies Record<string, ExportFormat>

/** The formats that are served: those of exports, and the captions of players. */
export const fileFormats = { ...exportFormats, captions: { type: exportFormats.vtt.type, write: toCaptions } }

/** Largest file: a script of `&` alone would be five times as long in WebVTT. */
const fileBytes = 2 * scriptBytes

/** Most bytes of the captions of a script of this size: a record is repeated whenever another begins or ends. */
export const captionBytes = (size: number): number => Math.min(fileBytes, 16 * size)

/** A stored script as a file. Throws `errors.tooLarge` for one larger than `captionBytes` or `fileBytes`. */
export async function exportTo({ script, format }: { script: ReadScript; format: keyof typeof fileFormats }) {
  const { write }: ExportFormat = fileFormats[format]
  const file = await write(recordsOf(script))
  if (file instanceof Uint8Array) return file
  return toBytes(file, format === 'captions' ? captionBytes(script.bytes.length) : fileBytes)
}
