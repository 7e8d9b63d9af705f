import type { FrameTimes } from '../ffmpeg/frame-clock.ts'
import { pictureLimit } from '../ffmpeg/limits.ts'
import { accessTo, type Probe } from '../ffmpeg/probe.ts'
import type { Scan, ScanRun } from '../ffmpeg/scan.ts'
import { FfmpegError, runSupervised } from '../ffmpeg/supervised.ts'
import type { Picture } from './choose-picture.ts'
import { keySeconds, leastPause } from './picture.ts'

/** Seconds of the first chunks at most. They are short, so that a player can begin soon. */
const firstSeconds = [4, 8, 16]
/** Seconds of a later chunk at most. */
const mostSeconds = 30
/**
 * A chunk is at most this part of the rest of a recording, so that all workers end at about the same time, unless it would be
 * shorter than `leastRestSeconds`.
 */
const partOfRest = 1 / 3
/** Seconds of a chunk of the rest at least, because each one starts an ffmpeg. */
const leastRestSeconds = 6

/** Seconds of the chunk of this index, from which on so many seconds of the recording are left. */
const lengthOf = (index: number, leftSeconds: number) =>
  Math.min(firstSeconds[index] ?? mostSeconds, Math.max(leastRestSeconds, leftSeconds * partOfRest))

/** A shorter recording is one chunk. */
const leastSeconds = 60
/** By this part of its length a chunk may be longer or shorter, to begin near a key frame. */
const freedom = 0.25
/** Most seconds before a boundary, back to a key frame, that are decoded twice. */
const mostRepeatedSeconds = 4
/** Weight of a second by which a chunk is longer or shorter, against a second that is decoded twice. */
const unevenness = 0.25
/** A boundary is so many seconds before the first frame of a chunk. All frames have greater pauses. */
export const beforeFrameSeconds = 0.000_5
/** Seconds of interlaced pictures that are needed before a boundary. */
const interlacedSeconds = 0.1
/** Seconds by which ffmpeg begins earlier in a container that it seeks by times of decoding, if there may be B-frames. */
const seekBackSeconds = 3 / 23

/** The times of the frames that are kept of the whole recording. */
export function* keptOf(shown: Float64Array, scan: Scan): Generator<number> {
  const pause = leastPause(scan) ?? 0
  let last = Number.NEGATIVE_INFINITY
  for (const time of shown) {
    if (time - last < pause) continue
    last = time
    yield time
  }
}

/**
 * The boundaries at which to cut a picture, in seconds on the clock of the file. Each is right before a frame that is also
 * kept of the whole recording and would be a key frame of its encode in one pass, so that no fragment is shorter than there.
 * It is as near behind a key frame of the original as it can be, so that little is decoded twice.
 */
function boundaries({ shown, keys }: FrameTimes, scan: Scan, seekBack: number): number[] {
  const end = shown.at(-1) ?? 0
  const found: number[] = []
  let [from, key] = [shown[0] ?? 0, 0]
  let fragment = from
  let best: { time: number; cost: number } | undefined
  for (const time of keptOf(shown, scan)) {
    if (time - fragment < keySeconds - beforeFrameSeconds) continue
    fragment = time
    if (best && time > from + lengthOf(found.length, end - from) * (1 + freedom)) {
      from = best.time
      best = undefined
      if (end - from < lengthOf(found.length + 1, end - from) / 2) break
      found.push(from - beforeFrameSeconds)
    }
    const length = lengthOf(found.length, end - from)
    if (time < from + length * (1 - freedom)) continue
    while ((keys[key + 1] ?? Number.POSITIVE_INFINITY) <= time - seekBack) key += 1
    const repeated = time - (keys[key] ?? 0)
    if (repeated > mostRepeatedSeconds) continue
    const cost = repeated + unevenness * Math.abs(time - from - length)
    if (!best || cost < best.cost) best = { time, cost }
  }
  return found
}

export interface CutRun extends ScanRun {
  ffmpegPath: string
  /** Bytes of the original that were read so far. */
  servedBytes(): number
}

/** Bytes and part of the original that a seek may read at most. Without an index, ffmpeg reads all that comes before. */
const [seekBytes, seekPart] = [32 * 1024 ** 2, 0.25]
/** Seconds that a seek may begin before the key frame, because some containers list only a part of them. */
const seekSlackSeconds = 6

/** Whether ffmpeg, when it seeks to this boundary, begins at a key frame shortly before and need not read much. */
async function canSeek(run: CutRun, { video, scan, times }: Picture, boundary: number): Promise<boolean> {
  const before = run.servedBytes()
  const to = seekSeconds(boundary, scan)
  const first = ['-map', `0:${video.index}`, '-c', 'copy', '-copypriorss', '1', '-frames:v', '1', '-f', 'framecrc', '-']
  let [ticks, landed] = [Number.NaN, Number.NaN]
  try {
    await runSupervised({
      ...run,
      program: run.ffmpegPath,
      args: [
        ...['-nostdin', '-v', 'error', '-copyts', '-noaccurate_seek', ...pictureLimit, '-threads', '1'],
        ...['-seek_timestamp', '1', '-ss', `${to}`, ...accessTo(run.input, run.container), ...first],
      ],
      maxBytes: 0,
      onLine(line) {
        const base = /^#tb 0: (\d+)\/(\d+)/.exec(line)
        if (base) ticks = Number(base[2]) / Number(base[1])
        const packet = /^0, +-?\d+, +(-?\d+),/.exec(line)
        if (packet) landed = Number(packet[1]) / ticks
        return undefined
      },
    })
  } catch (error) {
    if (!(error instanceof FfmpegError) || ['killed', 'disk full', 'aborted'].includes(error.why)) throw error
    return false
  }
  const key = times?.keys.findLast((time) => time <= to - seekBackSeconds) ?? Number.NEGATIVE_INFINITY
  const read = run.servedBytes() - before
  return landed <= to && landed >= key - seekSlackSeconds && read <= run.size * seekPart + seekBytes
}

/**
 * The second of the file's clock to which to seek for a boundary: that of the frame after it, which may be a key frame.
 * Interlaced pictures are completed from those before them.
 */
export const seekSeconds = (boundary: number, { interlaced }: Pick<Scan, 'interlaced'>): number =>
  interlaced ? boundary - interlacedSeconds : boundary + 2 * beforeFrameSeconds

/**
 * Chooses the boundaries at which to cut a picture into chunks, in seconds on the clock of the rendition, of which 0 is the
 * beginning of the file's. None where a chunk might differ from the same part of the whole. Throws FfmpegError.
 */
export async function chooseCuts(run: CutRun, picture: Picture, { from, pictures }: Probe): Promise<number[]> {
  const { scan, times } = picture
  const isSeekable = run.container === 'mp4' || run.container === 'matroska'
  if (!times || !isSeekable || scan.formats.length > 1 || scan.seconds < leastSeconds) return []
  // ffmpeg seeks by key frames of the first picture.
  if (pictures.length > 1) return []
  const seekBack = (run.container === 'mp4' ? 0 : seekBackSeconds) + (scan.interlaced ? interlacedSeconds : 0)
  const found = boundaries(times, scan, seekBack)
  const [middle, last] = [found[found.length >> 1], found.at(-1)]
  if (middle === undefined || last === undefined) return []
  const isSafe = (await canSeek(run, picture, last)) && (await canSeek(run, picture, middle))
  return isSafe ? found.map((boundary) => boundary - from) : []
}
