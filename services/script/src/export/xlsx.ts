import type { ScriptRecord } from '@playtherapy/versions/records'
import { columns, rows } from './table.ts'

/** Excel reads `_x0041_` as the character of that number. The `_` is escaped in the same way to keep the text. */
const escapeMark = /_(?=x[\da-f]{4}_)/gi

/**
 * What XML cannot hold, or reads as another line break (a carriage return): Excel would call the file damaged. And what the library
 * leaves out: noncharacters, and U+FFFD, which stands for bytes that were no text.
 */
const unfit = /(?![\t\n])[\p{Cc}\p{Noncharacter_Code_Point}\ufffd]/gu
/** Each UTF-16 unit by its number. */
const byNumber = (character: string) =>
  character.replace(/./gs, (unit) => `_x${unit.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}_`)

/** A text in the form of a cell. The library would lose one that names a member of every object (`toString`). */
const spelling = (text: string) => {
  const fit = text.replace(escapeMark, '_x005F_').replace(unfit, byNumber)
  return fit in Object.prototype ? fit.replace(/^./, byNumber) : fit
}

/** A script as an Excel workbook with a header row; times are as sent. All cells are texts, so Excel runs no formula. */
export async function toXlsx(records: ScriptRecord[]): Promise<Buffer> {
  // Loading the library would slow every start of the process, and few requests need it.
  const { default: writeXlsxFile } = await import('write-excel-file/node')
  const text = (value: string) => (value === '' ? null : { value: spelling(value), type: String })
  const header = columns.map((value) => ({ value, type: String, fontWeight: 'bold' as const }))
  const sheet = [header, ...Array.from(rows(records), (row) => row.map(text))]
  const widths = [{ width: 14 }, { width: 14 }, { width: 10 }, { width: 100 }]
  return writeXlsxFile(sheet, { sheet: 'script', columns: widths }).toBuffer()
}
