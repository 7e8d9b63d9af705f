import type { ScriptRecord } from '../records/record.ts'

export const columns = ['start_time', 'end_time', 'speaker', 'text'] as const

// Odd times are shown where they can be: a cell has no room for an object.
const cell = (value: unknown) => (typeof value === 'string' || typeof value === 'number' ? String(value) : '')

/** The records as rows of texts under `columns`, in the script's order, times as they were sent. */
export function* rows(records: ScriptRecord[]): Iterable<string[]> {
  for (const record of records) yield columns.map((column) => cell(record[column]))
}
