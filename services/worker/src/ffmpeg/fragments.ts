import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import type { Segments } from '@playtherapy/schema'
import { FfmpegError } from './supervised.ts'

/** A fragment or segment. */
type Piece = Segments[number]

/** What a fragmented MP4 of one track holds: a header (ftyp and moov), then fragments (moof and mdat), nothing else. */
export interface Fragmented {
  headerBytes: number
  /** SHA-256 of the header. Files with the same one can share it. */
  headerHash: string
  /** The codec as RFC 6381 writes it, such as `avc1.64001f`. */
  codec: string
  /** 0 for a sound. */
  width: number
  height: number
  frames: number
  /** Each lasts until the next one begins. */
  fragments: Segments
  /** Second at which the first frame is shown, and at which the last one ends. */
  firstSeconds: number
  endSeconds: number
}

/** More bytes than the moov of a file without samples or the moof of one fragment needs. */
const mostHeadBytes = 8 * 1024 ** 2

interface Box {
  type: string
  /** Place of the content in its buffer. */
  start: number
  end: number
}

function* boxesIn(bytes: Buffer, from: number, to = bytes.length): Generator<Box> {
  for (let at = from; at + 8 <= to; ) {
    const end = at + bytes.readUInt32BE(at)
    if (end < at + 8 || end > to) throw new FfmpegError('unreadable')
    yield { type: bytes.toString('latin1', at + 4, at + 8), start: at + 8, end }
    at = end
  }
}

/** The first box of this path of types within a box. */
function find(bytes: Buffer, { start, end }: Pick<Box, 'start' | 'end'>, path: string[]): Box | undefined {
  const [type, ...rest] = path
  for (const box of boxesIn(bytes, start, end)) {
    if (box.type === type) return rest.length > 0 ? find(bytes, box, rest) : box
  }
  return undefined
}

function need(bytes: Buffer, within: Pick<Box, 'start' | 'end'>, ...path: string[]): Box {
  const box = find(bytes, within, path)
  if (!box) throw new FfmpegError('unreadable')
  return box
}

/** What the header says of the track. */
interface Track {
  timescale: number
  /** Ticks by which the times of the frames are later than those of their presentation, because of B-frames. */
  mediaTime: number
  /** Ticks of a frame without a duration of its own. */
  duration: number
  codec: string
  width: number
  height: number
}

/** Bytes of the fixed fields before the boxes of a sample entry. */
const [stsdBytes, videoBytes, audioBytes] = [8, 78, 28]

function trackOf(moov: Buffer): Track {
  const all = { start: 8, end: moov.length }
  const trak = need(moov, all, 'trak')
  const { start: mdhd } = need(moov, trak, 'mdia', 'mdhd')
  const trex = need(moov, all, 'mvex', 'trex')
  const stsd = need(moov, trak, 'mdia', 'minf', 'stbl', 'stsd')
  const elst = find(moov, trak, ['edts', 'elst'])?.start
  const track = {
    timescale: moov.readUInt32BE(mdhd + (moov[mdhd] === 1 ? 20 : 12)),
    mediaTime:
      elst === undefined ? 0 : Number(moov[elst] === 1 ? moov.readBigInt64BE(elst + 16) : moov.readInt32BE(elst + 12)),
    duration: moov.readUInt32BE(trex.start + 12),
  }
  const [entry] = boxesIn(moov, stsd.start + stsdBytes, stsd.end)
  if (entry?.type === 'avc1') {
    const { start: avcC } = need(moov, { start: entry.start + videoBytes, end: entry.end }, 'avcC')
    return {
      ...track,
      codec: `avc1.${moov.toString('hex', avcC + 1, avcC + 4)}`,
      width: moov.readUInt16BE(entry.start + 24),
      height: moov.readUInt16BE(entry.start + 26),
    }
  }
  if (entry?.type === 'mp4a') {
    // Our encoder makes AAC-LC only, so its descriptors need not be read.
    need(moov, { start: entry.start + audioBytes, end: entry.end }, 'esds')
    return { ...track, codec: 'mp4a.40.2', width: 0, height: 0 }
  }
  throw new FfmpegError('unreadable')
}

/** Number of frames of a fragment, and the ticks of its first presentation and of the end of its last one. */
function spanOf(moof: Buffer, track: Track) {
  const traf = need(moof, { start: 8, end: moof.length }, 'traf')
  const { start: tfhd } = need(moof, traf, 'tfhd')
  const { start: tfdt } = need(moof, traf, 'tfdt')
  const time = Number(moof[tfdt] === 1 ? moof.readBigInt64BE(tfdt + 4) : moof.readUInt32BE(tfdt + 4))
  // Players refuse a time before 0, which the box cannot hold, so that it is as far as possible after 0.
  if (time < 0) throw new FfmpegError('unreadable')
  let at = time - track.mediaTime
  const says = moof.readUIntBE(tfhd + 1, 3)
  // ISO/IEC 14496-12, 8.8.7: the base offset and the index of the description may come before the duration.
  const before = 8 + (says & 1 ? 8 : 0) + (says & 2 ? 4 : 0)
  const usual = says & 8 ? moof.readUInt32BE(tfhd + before) : track.duration
  let [frames, first, end] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const { type, start } of boxesIn(moof, traf.start, traf.end)) {
    if (type !== 'trun') continue
    const has = moof.readUIntBE(start + 1, 3)
    const count = moof.readUInt32BE(start + 4)
    let place = start + 8 + (has & 1 ? 4 : 0) + (has & 4 ? 4 : 0)
    for (let n = 0; n < count; n += 1) {
      const duration = has & 0x1_00 ? moof.readUInt32BE(place) : usual
      place += (has & 0x1_00 ? 4 : 0) + (has & 0x2_00 ? 4 : 0) + (has & 0x4_00 ? 4 : 0)
      const later = has & 0x8_00 ? moof.readInt32BE(place) : 0
      place += has & 0x8_00 ? 4 : 0
      first = Math.min(first, at + later)
      end = Math.max(end, at + later + duration)
      at += duration
    }
    frames += count
  }
  return { frames, first, end }
}

/**
 * Describes a fragmented MP4 of one track that our ffmpeg wrote, reading only its header and the heads of its fragments.
 * Throws FfmpegError when the file is of another shape.
 */
export async function readFragments(handle: FileHandle): Promise<Fragmented> {
  const { size } = await handle.stat()
  const read = async (at: number, bytes: number) => {
    if (bytes > mostHeadBytes) throw new FfmpegError('unreadable')
    // What ffmpeg wrote without an error ends early only where the disk was full.
    if (at + bytes > size) throw new FfmpegError('disk full')
    const buffer = Buffer.alloc(bytes)
    await handle.read(buffer, 0, bytes, at)
    return buffer
  }
  const hash = createHash('sha256')
  let track: Track | undefined
  let [headerBytes, frames, end] = [0, 0, 0]
  const begun: { first: number; bytes: number }[] = []
  for (let at = 0; at < size; ) {
    const head = await read(at, Math.min(16, size - at))
    const type = head.toString('latin1', 4, 8)
    const stated = head.readUInt32BE(0)
    const bytes = stated === 1 ? Number(head.readBigUInt64BE(8)) : stated
    if (bytes < 8) throw new FfmpegError('unreadable')
    if (at + bytes > size) throw new FfmpegError('disk full')
    const last = begun.at(-1)
    if (!last && (type === 'ftyp' || type === 'moov')) {
      const box = await read(at, bytes)
      hash.update(box)
      headerBytes += bytes
      if (type === 'moov') track = trackOf(box)
    } else if (track && type === 'moof') {
      const span = spanOf(await read(at, bytes), track)
      frames += span.frames
      end = Math.max(end, span.end)
      begun.push({ first: span.first, bytes })
    } else if (last && type === 'mdat') last.bytes += bytes
    else throw new FfmpegError('unreadable')
    at += bytes
  }
  if (!track) throw new FfmpegError('unreadable')
  const { timescale, codec, width, height } = track
  const firstSeconds = (begun[0]?.first ?? 0) / timescale
  const fragments = begun.map(({ first, bytes }, place): Piece => {
    return [((begun[place + 1]?.first ?? end) - first) / timescale, bytes]
  })
  const headerHash = hash.digest('hex')
  return { headerBytes, headerHash, codec, width, height, frames, fragments, firstSeconds, endSeconds: end / timescale }
}

/** A segment ends with the fragment that reaches this length. */
const segmentSeconds = 3.9
/** A shorter rest at the end belongs to the segment before. */
const restSeconds = 1

/** The longest segment that can become of fragments of at most so many seconds. */
export const mostSegmentSeconds = (fragmentSeconds: number): number => segmentSeconds + fragmentSeconds + restSeconds

/** Groups fragments to the segments of a playlist. Where fragments have two seconds, these are two to a segment. */
export function toSegments(fragments: Segments): Segments {
  const segments: Segments = []
  let open: Piece | undefined
  for (const [seconds, bytes] of fragments) {
    open = [(open?.[0] ?? 0) + seconds, (open?.[1] ?? 0) + bytes]
    if (open[0] < segmentSeconds) continue
    segments.push(open)
    open = undefined
  }
  const last = segments.at(-1)
  if (open && last && open[0] < restSeconds) segments[segments.length - 1] = [last[0] + open[0], last[1] + open[1]]
  else if (open) segments.push(open)
  return segments
}
