import { language } from '../texts/language.ts'
import { texts } from '../texts/session.ts'

const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte']

/** Bytes as people read them: `734 MB`, in the page's language. */
export function bytes(count: number): string {
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3))
  const value = count / 1000 ** power
  return new Intl.NumberFormat(language.value, {
    style: 'unit',
    unit: units[power] ?? 'byte',
    unitDisplay: 'short',
    maximumFractionDigits: value < 10 && power > 0 ? 1 : 0,
  }).format(value)
}

/** How long something takes, in steps that do not jump about: `40 s`, `3 min`, `1 h 20 min`. */
export function duration(seconds: number): string {
  if (seconds < 55) return texts.seconds(Math.max(5, Math.ceil(seconds / 5) * 5))
  const minutes = Math.ceil(seconds / 60)
  return minutes < 60 ? texts.minutes(minutes) : texts.hours(Math.floor(minutes / 60), minutes % 60)
}

export const day = (ms: number) =>
  new Intl.DateTimeFormat(language.value, { dateStyle: 'long', timeStyle: 'short' }).format(ms)
