/** The segments of a file, in order: length in seconds and bytes of each. */
export type Segments = [seconds: number, bytes: number][]

/**
 * Some consecutive bytes of a rung. A rung is one file to its readers, from its first chunk on: it only grows, and neither
 * its bytes nor the places of its segments change when one object takes the place of those of the chunks.
 */
export interface Part {
  /** Where the part begins in the rung, with its header if it has one. */
  start: number
  /** Bytes of its header, which applies to all segments after it; 0 where the header before still applies. */
  headerBytes: number
  segments: Segments
}

/** A chunk's file of a rung. */
interface ChunkFile {
  headerBytes: number
  headerHash: string
  segments: Segments
}

/** Bytes of a part, with its header. */
export const bytesOf = ({ headerBytes, segments }: Omit<Part, 'start'>): number =>
  segments.reduce((sum, [, bytes]) => sum + bytes, headerBytes)

/**
 * Joins the files of consecutive chunks to a rung. A file begins with its header, which is left out where it equals the one
 * before. `skipped` says how many bytes of each file are left out.
 */
export function joinChunks<F extends ChunkFile>(files: F[]): { part: Part; file: F; skipped: number }[] {
  let start = 0
  let hash: string | undefined
  return files.map((file) => {
    const skipped = file.headerHash === hash || file.segments.length === 0 ? file.headerBytes : 0
    if (file.segments.length > 0) hash = file.headerHash
    const part = { start, headerBytes: file.headerBytes - skipped, segments: file.segments }
    start += bytesOf(part)
    return { part, file, skipped }
  })
}

/** Most kbit a second of the upper rung in 1080p, and of the lower rung, which a slow line must carry. */
const [upperKbits, lowerKbits] = [6_000, 700]

/** Most kbit a second that an encode makes of a rung of this size. Small pictures need more for each pixel. */
export const mostKbitsOf = (rung: 'upper' | 'lower', { width, height }: { width: number; height: number }): number =>
  rung === 'lower' ? lowerKbits : Math.round(upperKbits * Math.min(1, (width * height) / (1920 * 1080)) ** 0.75)
