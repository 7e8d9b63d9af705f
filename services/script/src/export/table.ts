import type { ScriptRecord } from '../records/record.ts'

export const columns = ['start_time', 'end_time', 'speaker', 'text'] as const

/**
 * A spreadsheet's cell holds at most 32,767 UTF-16 units; this many characters always fit. Of a longer one in CSV, Excel
 * puts the rest into a row of its own, where it may be a formula.
 */
const longest = 16_000
const chunk = new RegExp(`[\\s\\S]{1,${longest}}`, 'gu')

// Odd times are shown where they can be: a cell has no room for an object.
const cell = (value: unknown) => (typeof value === 'string' || typeof value === 'number' ? String(value) : '')

/**
 * The records as rows of texts under `columns`, in the script's order, times as they were sent. What is too long for a
 * cell goes on in the same column of further rows.
 */
export function* rows(records: ScriptRecord[]): Iterable<string[]> {
  for (const record of records) {
    const cells = columns.map((column) => cell(record[column]))
    if (cells.every(({ length }) => length <= longest)) {
      yield cells
      continue
    }
    const chunks = cells.map((text) => text.match(chunk) ?? [])
    const count = Math.max(...chunks.map(({ length }) => length))
    for (let row = 0; row < count; row++) yield chunks.map((parts) => parts[row] ?? '')
  }
}
