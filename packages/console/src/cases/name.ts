import { language } from '../texts/language.ts'

interface Named {
  given_name: string
  family_name: string | null
}

const eastern = /[\p{Script=Hangul}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u

/** The name of a child in the order of its language: 김지우, Mina Kim. */
export function nameOf({ given_name: given, family_name: family }: Named): string {
  if (!family) return given
  return eastern.test(given + family) ? family + given : `${given} ${family}`
}

/** A day, given as `YYYY-MM-DD`, in the form of the page's language. */
export function dayOf(date: string): string {
  const day = new Date(`${date}T00:00:00Z`)
  if (Number.isNaN(day.getTime())) return date
  return new Intl.DateTimeFormat(language.value, { dateStyle: 'medium', timeZone: 'UTC' }).format(day)
}
