const padded = (value: number, digits: number) => String(Math.trunc(value)).padStart(digits, '0')

/**
 * `HH:MM:SS` of milliseconds, rounded down to the second, as a session's length and a script's times are written; hours
 * take a third digit when they need it.
 */
export const clockTime = (ms: number): string =>
  `${padded(ms / 3_600_000, 2)}:${padded((ms / 60_000) % 60, 2)}:${padded((ms / 1000) % 60, 2)}`

/** `HH:MM:SS`, the mark, and three digits of milliseconds. */
export const captionTime = (ms: number, mark: '.' | ','): string => `${clockTime(ms)}${mark}${padded(ms % 1000, 3)}`
