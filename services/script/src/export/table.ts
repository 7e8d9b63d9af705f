import type { ScriptRecord } from '@playtherapy/versions/records'

export const columns = ['start_time', 'end_time', 'speaker', 'text'] as const

/**
 * Most characters of a cell, which holds at most 32,767 UTF-16 units. Excel moves the rest of a longer one in CSV to
 * another row, where it may be a formula.
 */
const cellCharacters = 16_000
const chunk = new RegExp(`[\\s\\S]{1,${cellCharacters}}`, 'gu')

// An odd time is shown if it is a string or a number.
const cell = (value: unknown) => (typeof value === 'string' || typeof value === 'number' ? String(value) : '')

/** The records as rows of `columns`, in order; times are as sent. A text too long for a cell continues in further rows. */
export function* rows(records: ScriptRecord[]): Iterable<string[]> {
  for (const record of records) {
    const cells = columns.map((column) => cell(record[column]))
    if (cells.every(({ length }) => length <= cellCharacters)) {
      yield cells
      continue
    }
    const chunks = cells.map((text) => text.match(chunk) ?? [])
    const count = Math.max(...chunks.map(({ length }) => length))
    for (let row = 0; row < count; row++) yield chunks.map((parts) => parts[row] ?? '')
  }
}
