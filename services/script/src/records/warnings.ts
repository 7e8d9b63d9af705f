import type { ScriptRecord } from './record.ts'
import { isOddTime, parseTime } from './times.ts'

/** odd: no time · order: before the record above, or ends before it starts · beyond: after the video's end. */
export interface TimeWarning {
  record: number
  field: 'start_time' | 'end_time'
  kind: 'odd' | 'order' | 'beyond'
}

/** Most warnings that are listed. */
const mostListed = 100
/** Whole seconds are common in scripts, and a video's length is rounded to one. */
const tolerance = 1000

/**
 * What is doubtful in the times of a script, the first hundred by record. Nothing is said of times that are absent,
 * null or empty. The order of starts is judged against the nearest record above that has one, so one stray time is one
 * or two warnings, not one for all that follow. `videoLength` is `HH:MM:SS`, or null when it is not known.
 */
export function timeWarnings(records: ScriptRecord[], videoLength: string | null): TimeWarning[] {
  const length = parseTime(videoLength) ?? Number.POSITIVE_INFINITY
  const warnings: TimeWarning[] = []
  let above = 0
  for (const [record, { start_time, end_time }] of records.entries()) {
    if (warnings.length >= mostListed) break
    const start = parseTime(start_time)
    const end = parseTime(end_time)
    const judge = (field: TimeWarning['field'], sent: unknown, ms: number | undefined, earliest: number) => {
      if (isOddTime(sent)) warnings.push({ record, field, kind: 'odd' })
      if (ms !== undefined && ms < earliest) warnings.push({ record, field, kind: 'order' })
      if (ms !== undefined && ms > length + tolerance) warnings.push({ record, field, kind: 'beyond' })
    }
    judge('start_time', start_time, start, above)
    judge('end_time', end_time, end, start ?? 0)
    above = start ?? above
  }
  return warnings.slice(0, mostListed)
}
