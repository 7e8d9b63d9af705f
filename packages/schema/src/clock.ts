const padded = (value: number, digits: number) => String(Math.trunc(value)).padStart(digits, '0')

/** `HH:MM:SS` of milliseconds, rounded down; hours have a third digit from 100 on. */
export const clockTime = (ms: number): string =>
  `${padded(ms / 3_600_000, 2)}:${padded((ms / 60_000) % 60, 2)}:${padded((ms / 1000) % 60, 2)}`

/** `HH:MM:SS`, the mark, and three digits of milliseconds; rounded down. */
export const captionTime = (ms: number, mark: '.' | ','): string => `${clockTime(ms)}${mark}${padded(ms % 1000, 3)}`
