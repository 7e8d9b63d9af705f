import { fold } from '@playtherapy/schema'

/** Characters of a text shown before and after the first place of the keyword. */
export const [charactersBefore, charactersAfter] = [60, 140]

/** White space, a letter with its marks, or any other character, each with what nobody sees of it. */
const part = /[\s\u0085][\s\u0085\p{DI}]*|[^\p{M}\p{DI}][\p{M}\p{DI}]*|./gsu
/** Parts that are folded together, which takes a small fraction of the time. */
const run = new RegExp(`(?:${part.source}){1,64}`, part.flags)

interface Place {
  start: number
  end: number
}

/** A folded text, part by part, and the place in the text of each of its units. */
function byPart(text: string): { folded: string; origins: Place[] } {
  let folded = ''
  const origins: Place[] = []
  for (const { 0: some, index } of text.matchAll(part)) {
    const same = fold(some)
    folded += same
    for (let unit = 0; unit < same.length; unit++) origins.push({ start: index, end: index + some.length })
  }
  return { folded, origins }
}

/** Every place of a folded keyword in a text, without overlaps. */
function places(text: string, keyword: string): Place[] {
  const { folded, origins } = byPart(text)
  const found: Place[] = []
  for (let at = folded.indexOf(keyword); at >= 0; at = folded.indexOf(keyword, at + keyword.length)) {
    found.push({ start: origins[at]?.start ?? 0, end: origins[at + keyword.length - 1]?.end ?? 0 })
  }
  return found
}

/**
 * Where the first place of a folded keyword begins in a text. Only the run around it is folded part by part: a response has
 * hundreds of texts, and each may have thousands of parts.
 */
function firstPlace(text: string, keyword: string): number {
  let left = fold(text).indexOf(keyword)
  for (const { 0: some, index } of left > 0 ? text.matchAll(run) : []) {
    const { length } = fold(some)
    if (left < length) return index + (byPart(some).origins[left]?.start ?? 0)
    left -= length
  }
  return 0
}

/**
 * The characters around the first place of a folded keyword in a text, with its places among them. The text may be longer
 * than is shown, because its folded form, by which the database found it, has fewer characters.
 */
export function excerpt(text: string, keyword: string): { snippet: string; matches: Place[] } {
  const first = firstPlace(text, keyword)
  const before = Array.from(text.slice(0, first)).slice(-charactersBefore)
  const after = Array.from(text.slice(first))
  const shown = charactersBefore + Array.from(keyword).length + charactersAfter - before.length
  const snippet = before.concat(after.slice(0, shown)).join('')
  return { snippet, matches: places(snippet, keyword) }
}
