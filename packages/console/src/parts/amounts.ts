import { language } from '../texts/language.ts'

const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const

export const number = (value: number, digits = 0) =>
  new Intl.NumberFormat(language.value, { maximumFractionDigits: digits }).format(value)

const inUnit = (value: number, unit: string, digits = 0) =>
  new Intl.NumberFormat(language.value, {
    style: 'unit',
    unit,
    unitDisplay: 'short',
    maximumFractionDigits: digits,
  }).format(value)

/** Bytes as people read them: `734 MB`, `1.2 GB`. */
export function bytes(count: number): string {
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3))
  const value = count / 1000 ** power
  return inUnit(value, units[power] ?? 'byte', value < 10 && power > 0 ? 1 : 0)
}

const [minute, hour, day] = [60, 3_600, 86_400]

/** A length of time in its one or two largest units: `40 sec`, `3 min`, `1 hr 20 min`, `4 days`. */
export function duration(seconds: number): string {
  if (seconds < minute) return inUnit(Math.floor(seconds), 'second')
  if (seconds < hour) return inUnit(Math.floor(seconds / minute), 'minute')
  if (seconds >= 2 * day) return inUnit(Math.floor(seconds / day), 'day')
  const minutes = Math.floor((seconds % hour) / minute)
  const hours = inUnit(Math.floor(seconds / hour), 'hour')
  return minutes === 0 ? hours : `${hours} ${inUnit(minutes, 'minute')}`
}

/** How long something will still take, in steps that do not jump about: of 5 s, and then of a minute. */
export function timeLeft(seconds: number): string {
  const step = seconds <= 55 ? 5 : minute
  return duration(Math.max(5, Math.ceil(seconds / step) * step))
}

export const moment = (at: string | number) =>
  new Intl.DateTimeFormat(language.value, { dateStyle: 'medium', timeStyle: 'medium' }).format(new Date(at))
