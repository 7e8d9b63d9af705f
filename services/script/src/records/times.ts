import { captionTime, clockTime } from '@playtherapy/schema'

const time = /^(\d{2,3}):([0-5]\d):([0-5]\d)(?:\.(\d+))?$/

/**
 * Milliseconds of a time such as `00:01:02`, `00:01:02.5` or `100:00:00`; undefined for anything else. What lies below
 * a millisecond is rounded.
 */
export function parseTime(value: unknown): number | undefined {
  const parts = typeof value === 'string' ? time.exec(value) : null
  if (!parts) return undefined
  const [, hours, minutes, seconds, fraction = '0'] = parts
  return (
    ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Math.round(Number(`.${fraction}`) * 1000)
  )
}

/** A time as a record holds it: `HH:MM:SS`, with milliseconds only where there are some. */
export const recordTime = (ms: number): string => (ms % 1000 === 0 ? clockTime(ms) : captionTime(ms, '.'))
