import type { Segment } from '../provider/speech.ts'

/** Seconds of sound in one request: ten minutes of FLAC stay below the 25 MB that such servers take. */
const pieceSeconds = 600
/** Seconds that a piece has in common with the one before. */
const overlapSeconds = 15
/** A segment that ends so close to the end of its piece may have been cut by it. Seconds. */
const cutMargin = 2

export interface Piece {
  /** Seconds from the beginning of the recording. */
  from: number
  to: number
}

/** The pieces in which a recording of so many seconds is transcribed; each but the first repeats the end of one. */
export function piecesOf(seconds: number): Piece[] {
  const pieces: Piece[] = []
  for (let from = 0; ; from += pieceSeconds - overlapSeconds) {
    const to = Math.min(from + pieceSeconds, seconds)
    pieces.push({ from, to })
    if (to >= seconds) return pieces
  }
}

/**
 * Puts the segments of consecutive pieces, each counted from its piece's beginning, together in time of the recording.
 * Where two pieces overlap, the earlier one counts up to the last segment it surely heard to its end, which is where
 * a pause is; the later one from there on. So a sentence at the seam is in one of them, and whole. Whatever the times
 * were, those of a piece come out in order, within it, and none ends before it begins.
 */
export function joinPieces(heard: { piece: Piece; segments: Segment[] }[]): Segment[] {
  const joined: Segment[] = []
  let seam = 0
  for (const [index, { piece, segments }] of heard.entries()) {
    const placed = segments.map((segment) => place(segment, piece)).toSorted((a, b) => a.start - b.start)
    const next = heard[index + 1]?.piece
    const whole = placed.filter(({ end }) => end <= piece.to - cutMargin)
    const last = Math.max(0, ...whole.map(({ end }) => end))
    // One that fills the whole overlap is heard by neither to both its ends; what the earlier has of it is more.
    const across = next && placed.find(({ start, end }) => start < next.from && end > piece.to - cutMargin)
    const until = next ? (across?.end ?? Math.max(last, next.from)) : Number.POSITIVE_INFINITY
    joined.push(...placed.filter(({ start, end }) => (start + end) / 2 >= seam && end <= until))
    seam = until
  }
  return joined
}

function place({ start, end, text }: Segment, { from, to }: Piece): Segment {
  const begins = Math.min(Math.max(start + from, from), to)
  return { start: begins, end: Math.min(Math.max(end + from, begins), to), text }
}
