import type { ScriptRecord } from '../records/record.ts'
import { columns, rows } from './table.ts'

/**
 * What a spreadsheet may run as a formula: it begins with such a sign, full-width ones included, or with a tab or a
 * carriage return; signs that are not seen, and spaces, do not keep one from it (OWASP, CSV Injection).
 */
const formula = /^(?:[\t\r]|[\s\p{C}]*[=+\-@＝＋－＠])/u

/** A cell (RFC 4180): in quotes where it holds a comma, a quote or a line break, also a bare one. */
function cell(value: string): string {
  const shown = formula.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(shown) ? `"${shown.replaceAll('"', '""')}"` : shown
}

/**
 * A script as CSV (RFC 4180), with a header line and times as they were sent. It begins with a byte order mark: Excel
 * takes a file without one for the machine's old code page and garbles Korean; other readers skip it. A text that a
 * spreadsheet would run as a formula gets an apostrophe before it; XLSX needs none. `rows` says what happens to long ones.
 */
export function* toCsv(records: ScriptRecord[]): Iterable<string> {
  yield `\ufeff${columns.join(',')}\r\n`
  for (const row of rows(records)) yield `${row.map(cell).join(',')}\r\n`
}
