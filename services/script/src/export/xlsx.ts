import type { ScriptRecord } from '../records/record.ts'
import { columns, rows } from './table.ts'

/** Excel reads `_x0041_` as the character of that number; with its first mark spelt like that it stays what it is. */
const spelt = /_(?=x[\da-f]{4}_)/gi

/** What XML cannot hold, or reads as another line break (a carriage return): Excel calls the whole file damaged. */
const unfit = /(?![\t\n])[\p{Cc}\ufffe\uffff]/gu
const byNumber = (character: string) => `_x${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}_`

/** A text as a cell spells it. One that names a member of every object (`toString`) would be lost in the library. */
const spelling = (text: string) => {
  const fit = text.replace(spelt, '_x005F_').replace(unfit, byNumber)
  return fit in Object.prototype ? fit.replace(/^./, byNumber) : fit
}

/**
 * A script as an Excel workbook of one sheet, with a header row and times as they were sent. All cells are texts, so
 * nothing in them is ever run as a formula.
 */
export async function toXlsx(records: ScriptRecord[]): Promise<Buffer> {
  // Few ask for it, and loading it would slow every start.
  const { default: writeXlsxFile } = await import('write-excel-file/node')
  const text = (value: string) => (value === '' ? null : { value: spelling(value), type: String })
  const header = columns.map((value) => ({ value, type: String, fontWeight: 'bold' as const }))
  const sheet = [header, ...Array.from(rows(records), (row) => row.map(text))]
  return writeXlsxFile(sheet, {
    sheet: 'script',
    columns: [{ width: 14 }, { width: 14 }, { width: 10 }, { width: 100 }],
  }).toBuffer()
}
