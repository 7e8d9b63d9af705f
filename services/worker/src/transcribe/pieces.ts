import type { Segment } from '../provider/speech.ts'

/** Seconds of sound in one request: ten minutes of FLAC are less than the 25 MB that such servers accept. */
const pieceSeconds = 600
/** Seconds by which a piece overlaps with the one before. */
const overlapSeconds = 15
/** A segment that ends within so many seconds before the end of its piece may have been cut. */
const cutSeconds = 2

/** Seconds from the beginning of the recording. */
export type Piece = { from: number; to: number }

/** The pieces in which a recording of so many seconds is transcribed; each overlaps with the one before. */
export function piecesOf(seconds: number): Piece[] {
  const pieces: Piece[] = []
  for (let from = 0; ; from += pieceSeconds - overlapSeconds) {
    const to = Math.min(from + pieceSeconds, seconds)
    pieces.push({ from, to })
    if (to >= seconds) return pieces
  }
}

/**
 * Joins the segments of consecutive pieces, and changes their times to those of the recording. Where two pieces overlap,
 * the segments of the earlier one are used up to the last that surely ends within it, and those of the later one after
 * that. So each sentence at the seam comes whole from one piece. Whatever times the transcriber states, the segments of a
 * piece are in order and within it, and no segment ends before it begins.
 */
export function joinPieces(heard: { piece: Piece; segments: Segment[] }[]): Segment[] {
  const joined: Segment[] = []
  let seam = 0
  for (const [index, { piece, segments }] of heard.entries()) {
    const placed = segments.map((segment) => place(segment, piece)).toSorted((a, b) => a.start - b.start)
    const next = heard[index + 1]?.piece
    const whole = placed.filter(({ end }) => end <= piece.to - cutSeconds)
    const last = Math.max(0, ...whole.map(({ end }) => end))
    // A segment longer than the overlap is complete in neither piece; the earlier piece has more of it.
    const across = next && placed.find(({ start, end }) => start < next.from && end > piece.to - cutSeconds)
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
