interface Piece {
  /** Its offset in the text, in UTF-16 units. */
  at: number
  text: string
  isMatch: boolean
}

/**
 * Divides a text at the beginnings and ends of matches, in UTF-16 units. The parts of a match outside of the text or inside of another
 * match are dropped, and no match divides a grapheme.
 */
export function marked(text: string, matches: readonly { start: number; end: number }[]): Piece[] {
  const edges = new Set([0, text.length])
  for (const { index } of new Intl.Segmenter().segment(text)) edges.add(index)
  const back = (at: number) => {
    let edge = Math.min(at, text.length)
    while (!edges.has(edge)) edge--
    return edge
  }
  const forth = (at: number) => {
    let edge = Math.max(at, 0)
    while (edge < text.length && !edges.has(edge)) edge++
    return Math.min(edge, text.length)
  }
  const pieces: Piece[] = []
  let done = 0
  const add = (end: number, isMatch: boolean) => {
    if (end > done) pieces.push({ at: done, text: text.slice(done, end), isMatch })
    done = Math.max(done, end)
  }
  for (const { start, end } of matches.toSorted((a, b) => a.start - b.start)) {
    add(back(Math.max(0, start)), false)
    add(forth(end), true)
  }
  add(text.length, false)
  return pieces
}
