import type { Row } from './change.ts'
import { secondsOf } from './records.ts'

/**
 * Why a time is doubtful: `odd` is no time; `order` is before the record above, or an end before its start; `beyond` is after the end of
 * the recording.
 */
export type Doubt = 'odd' | 'order' | 'beyond'

export interface Timing {
  /** The rows with known starts, earliest first; rows with equal starts are in the order of the script. */
  starts: { second: number; index: number }[]
  /** The doubts, by the key of the row. */
  doubts: Map<number, Set<Doubt>>
}

/** Scripts often hold whole seconds, and the length of a recording is rounded to them. */
const toleranceSeconds = 1

const isOdd = (sent: unknown, second: number | undefined) =>
  second === undefined && sent !== undefined && sent !== null && sent !== ''

/** Reads the times of a script, with the same doubts as the warnings of the service. `length` is that of the recording, in seconds. */
export function timingOf(rows: readonly Row[], length = Number.POSITIVE_INFINITY): Timing {
  const starts: Timing['starts'] = []
  const doubts: Timing['doubts'] = new Map()
  let above = 0
  for (const [index, { key, record }] of rows.entries()) {
    const [start, end] = [secondsOf(record.start_time), secondsOf(record.end_time)]
    if (start !== undefined) starts.push({ second: start, index })
    const found = new Set<Doubt>()
    if (isOdd(record.start_time, start) || isOdd(record.end_time, end)) found.add('odd')
    if ((start ?? above) < above || (end !== undefined && end < (start ?? 0))) found.add('order')
    if (Math.max(start ?? 0, end ?? 0) > length + toleranceSeconds) found.add('beyond')
    if (found.size > 0) doubts.set(key, found)
    above = start ?? above
  }
  if (starts.some(({ second }, at) => second < (starts[at - 1]?.second ?? 0)))
    starts.sort((a, b) => a.second - b.second || a.index - b.index)
  return { starts, doubts }
}

/** The index of the row that is spoken at a second: of the rows that began last, the first one; undefined before the first row. */
export function indexAt({ starts }: Timing, second: number): number | undefined {
  let [low, high] = [0, starts.length]
  while (low < high) {
    const middle = (low + high) >> 1
    // After a seek, a player stops a little before the requested second.
    if ((starts[middle]?.second ?? 0) <= second + 0.01) low = middle + 1
    else high = middle
  }
  const began = starts[low - 1]?.second
  while (low > 1 && starts[low - 2]?.second === began) low--
  return starts[low - 1]?.index
}
