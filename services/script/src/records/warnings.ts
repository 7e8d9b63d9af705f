import type { ScriptWarning } from '@playtherapy/schema'
import { parseTime, type ScriptRecord } from '@playtherapy/versions/records'

export type TimeWarning = Required<ScriptWarning>

const mostListed = 100
/** Scripts often hold whole seconds, and a video's length is rounded to seconds. */
const toleranceMs = 1_000

/** Whether a value is no time. A time that is absent, null or empty is unknown and not odd. */
const isOdd = (sent: unknown, ms: number | undefined) =>
  ms === undefined && sent !== undefined && sent !== null && sent !== ''

/**
 * The first hundred doubtful times of a script. Each start is compared with the nearest known start above it, so one
 * wrong time causes one or two warnings and not one for every later record. `videoLength` is `HH:MM:SS`, null if unknown.
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
