import type { ScriptRecord } from '@playtherapy/versions/records'
import { columns, rows } from './table.ts'

/**
 * A cell that a spreadsheet may run as a formula: it begins with a tab, a carriage return or one of these signs, which
 * may be full-width and may follow spaces or invisible characters (OWASP, CSV Injection).
 */
const formula = /^(?:[\t\r]|[\s\p{C}]*[=+\-@＝＋－＠])/u

/** A cell (RFC 4180): in quotes where it holds a comma, a quote or a line break, also a bare one. */
function cell(value: string): string {
  const shown = formula.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(shown) ? `"${shown.replaceAll('"', '""')}"` : shown
}

/**
 * A script as CSV (RFC 4180), with a header line; times are as they were sent. Without the byte order mark Excel would
 * read the machine's old code page and garble Korean; other readers skip it. An apostrophe precedes a text that a
 * spreadsheet would run as a formula. `rows` splits long texts.
 */
export function* toCsv(records: ScriptRecord[]): Iterable<string> {
  yield `\ufeff${columns.join(',')}\r\n`
  for (const row of rows(records)) yield `${row.map(cell).join(',')}\r\n`
}
