import { stringify } from 'csv-stringify/sync'
import type { ScriptRecord } from '../records/record.ts'
import { columns, rows } from './table.ts'

/**
 * A script as CSV (RFC 4180), with a header line and times as they were sent. It begins with a byte order mark: Excel
 * takes a file without one for the machine's old code page and garbles Korean; other readers skip it. A text that a
 * spreadsheet would run as a formula (`=`, `+`, `-`, `@` at its start) gets an apostrophe before it; XLSX needs none.
 */
export const toCsv = (records: ScriptRecord[]): string =>
  stringify([[...columns], ...rows(records)], { bom: true, record_delimiter: 'windows', escape_formulas: true })
