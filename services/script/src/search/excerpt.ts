import { fold } from '@playtherapy/schema'

/** Characters of a text shown before and after the first place of the keyword. */
export const [charactersBefore, charactersAfter] = [60, 140]

/** White space, a letter with its marks, or any other character, each with what nobody sees of it. */
const part = /[\s\u0085][\s\u0085\p{DI}]*|[^\p{M}\p{DI}][\p{M}\p{DI}]*|./gsu

interface Place {
  start: number
  end: number
}

/** Every place of a folded keyword in a text, without overlaps. */
function places(text: string, keyword: string): Place[] {
  let folded = ''
  // The place in the text of each unit of the folded one.
  const origins: Place[] = []
  for (const { 0: some, index } of text.matchAll(part)) {
    const same = fold(some)
    folded += same
    for (let unit = 0; unit < same.length; unit++) origins.push({ start: index, end: index + some.length })
  }
  const found: Place[] = []
  for (let at = folded.indexOf(keyword); at >= 0; at = folded.indexOf(keyword, at + keyword.length)) {
    found.push({ start: origins[at]?.start ?? 0, end: origins[at + keyword.length - 1]?.end ?? 0 })
  }
  return found
}

/**
 * The characters around the first place of a folded keyword in a text, with its places among them. The text may be longer
 * than is shown, because its folded form, by which the database found it, has fewer characters.
 */
export function excerpt(text: string, keyword: string): { snippet: string; matches: Place[] } {
  const first = places(text, keyword)[0]?.start ?? 0
  const before = Array.from(text.slice(0, first)).slice(-charactersBefore)
  const after = Array.from(text.slice(first))
  const shown = charactersBefore + Array.from(keyword).length + charactersAfter - before.length
  const snippet = before.concat(after.slice(0, shown)).join('')
  return { snippet, matches: places(snippet, keyword) }
}
