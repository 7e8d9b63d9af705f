/**
 * Characters of a piece, in which long texts are changed. `replace` keeps all its matches until the end: V8 needs half a
 * gigabyte for ten million of them, and a thread whose heap is full ends the process.
 */
const pieceLength = 65_536
/** It never splits a surrogate pair. */
const piece = new RegExp(`[\\s\\S]{1,${pieceLength}}`, 'gu')

export const pieces = (text: string): string[] => (text.length <= pieceLength ? [text] : (text.match(piece) ?? []))

function* partsOf(text: string, pattern: RegExp, change: (match: string) => string): Iterable<string> {
  let from = 0
  for (const { 0: match, index } of text.matchAll(pattern)) {
    yield text.slice(from, index) + change(match)
    from = index + match.length
  }
  yield text.slice(from)
}

/** `text.replace(pattern, change)` for a global pattern whose matches may be many and of any length. */
export function replaced(text: string, pattern: RegExp, change: (match: string) => string): string {
  if (text.length <= pieceLength) return text.replace(pattern, change)
  const done: string[] = []
  let some: string[] = []
  for (const part of partsOf(text, pattern, change)) {
    if (some.push(part) < pieceLength) continue
    done.push(some.join(''))
    some = []
  }
  return done.join('') + some.join('')
}

/** Trims a text and turns each run of whitespace into one space. */
export const squeezed = (text: string): string => replaced(text, /\s+/g, () => ' ').trim()

/** The lines of a text; line and paragraph separators break lines too. A list of millions would not fit into memory. */
export function* linesOf(text: string): Iterable<string> {
  let from = 0
  for (const { 0: lineBreak, index } of text.matchAll(/\r\n|[\r\n\u2028\u2029]/g)) {
    yield text.slice(from, index)
    from = index + lineBreak.length
  }
  yield text.slice(from)
}

/** The lines of a text that are not blank. */
export function* filledLines(text: string): Iterable<string> {
  for (const line of linesOf(text)) if (/\S/.test(line)) yield line
}
