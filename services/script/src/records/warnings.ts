import type { ScriptWarning } from '@playtherapy/schema'
import type { ScriptRecord } from './record.ts'
import { parseTime } from './times.ts'

/** A doubtful time, with its kind. */
export type TimeWarning = Required<ScriptWarning>

/** Most warnings that are listed. */
const mostListed = 100
/** Whole seconds are common in scripts, and a video's length is rounded to one. */
const toleranceMs = 1_000

/** Whether something that is no time stands in a time's place. Absent, null and empty are not odd: nothing is known. */
const isOdd = (sent: unknown, ms: number | undefined) =>
  ms === undefined && sent !== undefined && sent !== null && sent !== ''

/**
 * What is doubtful in the times of a script, the first hundred by record. Nothing is said of times that are absent,
 * null or empty. The order of starts is judged against the nearest record above that has one, so one stray time is one
 * or two warnings, not one for all that follow. `videoLength` is `HH:MM:SS`, or null when it is not known.
 */
export function timeWarnings(records: ScriptRecord[], videoLength: string | null): TimeWarning[] {
  const latest = (parseTime(videoLength) ?? Number.POSITIVE_INFINITY) + toleranceMs
  const warnings: TimeWarning[] = []
  let above = 0
  for (const [record, { start_time, end_time }] of records.entries()) {
    if (warnings.length >= mostListed) break
    const start = parseTime(start_time)
    const end = parseTime(end_time)
    if (isOdd(start_time, start)) warnings.push({ record, field: 'start_time', kind: 'odd' })
    else if (start !== undefined && start < above) warnings.push({ record, field: 'start_time', kind: 'order' })
    if (start !== undefined && start > latest) warnings.push({ record, field: 'start_time', kind: 'beyond' })
    if (isOdd(end_time, end)) warnings.push({ record, field: 'end_time', kind: 'odd' })
    else if (end !== undefined && end < (start ?? 0)) warnings.push({ record, field: 'end_time', kind: 'order' })
    if (end !== undefined && end > latest) warnings.push({ record, field: 'end_time', kind: 'beyond' })
    above = start ?? above
  }
  return warnings.slice(0, mostListed)
}
