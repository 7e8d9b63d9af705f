import { captionTime, clockTime } from '@playtherapy/schema'

const time = /^(\d{2,3}):([0-5]\d):([0-5]\d)(?:\.(\d+))?$/

/** Milliseconds, rounded, of a time such as `00:01:02`, `00:01:02.5` or `100:00:00`; undefined for anything else. */
export function parseTime(value: unknown): number | undefined {
  const parts = typeof value === 'string' ? time.exec(value) : null
  if (!parts) return undefined
  const [, hours, minutes, seconds, fraction = '0'] = parts
  return (
    ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Math.round(Number(`.${fraction}`) * 1000)
  )
}

/** `HH:MM:SS`, with milliseconds unless they are zero. */
export const recordTime = (ms: number): string => (ms % 1000 === 0 ? clockTime(ms) : captionTime(ms, '.'))
