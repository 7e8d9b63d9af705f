/** One record of a script. Times should be texts such as `00:01:02.5`, but any value is possible. Further keys are kept. */
export interface ScriptRecord {
  speaker: string
  text: string
  start_time?: unknown
  end_time?: unknown
  [other: string]: unknown
}

/** The members of a record that a person edits. */
export const fields = ['start_time', 'end_time', 'speaker', 'text'] as const
export type Field = (typeof fields)[number]

/** A member as text for a person. */
export function shown(record: ScriptRecord, field: Field): string {
  const value = record[field]
  return typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value)
}

const time = /^(\d{2,3}):([0-5]\d):([0-5]\d)(?:\.(\d+))?$/

/** Seconds of a time such as `00:01:02.5`; undefined for anything else. The service reads times by the same rule. */
export function secondsOf(value: unknown): number | undefined {
  const parts = typeof value === 'string' ? time.exec(value) : null
  if (!parts) return undefined
  const [, hours, minutes, seconds, fraction = '0'] = parts
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds) + Number(`0.${fraction}`)
}

const two = (number: number) => String(number).padStart(2, '0')

/** `HH:MM:SS`, with milliseconds unless they are zero. */
export function timeOf(seconds: number): string {
  const ms = Math.round(seconds * 1000)
  const clock = [ms / 3_600_000, (ms / 60_000) % 60, (ms / 1000) % 60].map((part) => two(Math.floor(part))).join(':')
  return ms % 1000 === 0 ? clock : `${clock}.${String(ms % 1000).padStart(3, '0')}`
}

const shortTime = /^(?:(\d{1,3}):)?(\d{1,2}):([0-5]?\d)(?:[.,](\d{1,9}))?$/

/** Converts a time as people type it, such as `1:23`, to the form of a script. Any other text is returned as it is. */
export function typedTime(typed: string): string {
  const trimmed = typed.trim()
  const parts = shortTime.exec(trimmed)
  if (!parts || secondsOf(trimmed) !== undefined) return trimmed
  const [, hours, minutes, seconds, fraction] = parts
  if (hours !== undefined && Number(minutes) > 59) return trimmed
  return timeOf(Number(hours ?? 0) * 3600 + Number(minutes) * 60 + Number(seconds) + Number(`0.${fraction ?? 0}`))
}
