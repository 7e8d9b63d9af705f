import type { Container } from '@playtherapy/schema'
import { type Static, Type } from 'typebox'
import type { Input } from './bounded.ts'
import { createFrameClock, type FrameTimes, mayStartAgain } from './frame-clock.ts'
import { pictureLimit, threadsFor } from './limits.ts'
import { PictureFormat, toPictureFormat } from './picture-format.ts'
import { accessTo, type VideoStream } from './probe.ts'
import { FfmpegError, runSupervised, type Supervised } from './supervised.ts'

/** What the packets and key frames of a track of pictures say. */
export const Scan = Type.Object({
  /** Each format once, in the order of their first use, at most {@link mostFormats}. */
  formats: Type.Array(PictureFormat, { minItems: 1 }),
  /** Whether a key frame could be decoded; otherwise the format is that of the header. */
  isDecodable: Type.Boolean(),
  interlaced: Type.Boolean(),
  /** Frames a second as they follow each other, without gaps of more than a second; 0 where none follow so closely. */
  frameRate: Type.Number(),
  /** Seconds of the longest pause between two frames. */
  longestPause: Type.Number(),
  /** Seconds of the longest group of frames, from one key frame to the next one or to the end. */
  longestGroup: Type.Number(),
  /** Whether an edit list hides frames, which a player must decode but not show. */
  hasHidden: Type.Boolean(),
  /** Seconds from the first key frame, before which nothing can be shown, to the last picture. */
  seconds: Type.Number(),
  /** Seconds from the first picture to the end of the last one. */
  endSeconds: Type.Number(),
  /** The file ends before what it announces. */
  isCut: Type.Boolean(),
})

export type Scan = Static<typeof Scan>

export interface ScanRun extends Pick<Supervised, 'size' | 'stallSeconds' | 'maxSeconds' | 'memoryBytes' | 'signal'> {
  ffprobePath: string
  input: Input
  container: Container
}

const mostFormats = 100

const packetEntries = ['pts_time', 'dts_time', 'duration_time', 'flags']
const frameEntries = ['width', 'height', 'sample_aspect_ratio', 'pix_fmt', 'interlaced_frame', 'color_range']
const frameTime = 'best_effort_timestamp_time'
const colourEntries = ['color_space', 'color_primaries', 'color_transfer']
const ofPackets = `packet=${packetEntries.join(',')}:packet_side_data=side_data_type`
const ofFrames = `frame=${[frameTime, ...frameEntries, ...colourEntries].join(',')}`

/**
 * The least time between two key frames that are decoded, in seconds, where the format is not expected to change. Decoding
 * each one takes as long as all that must be done until the first seconds of a recording can be played.
 */
const lookSeconds = 10
/** Of a recording that is no longer, every key frame is decoded. */
const shortSeconds = 120
/** More places are too long for a command line. */
const mostLooks = 4_000

/**
 * Whether some key frames tell the format of a recording: it is long, and its container states the format once for all
 * frames, as the cameras of phones write it. A change is noticed where the container has several formats, and otherwise if it
 * lasts for {@link lookSeconds}.
 */
const isUniform = ({ container }: ScanRun, { codec, statedSeconds = Number.POSITIVE_INFINITY }: VideoStream) =>
  container === 'mp4' && (codec === 'h264' || codec === 'hevc') && statedSeconds > shortSeconds

/** The second of a key frame after each pause, and that of the last one; none where all are to be decoded. */
function looksAt(keys: Float64Array): number[] {
  const last = keys.at(-1) ?? 0
  const seconds = last - (keys[0] ?? 0)
  if (seconds <= shortSeconds) return []
  const pause = Math.max(lookSeconds, seconds / mostLooks)
  const looks: number[] = []
  for (const key of keys) if (key >= (looks.at(-1) ?? Number.NEGATIVE_INFINITY) + pause || key === last) looks.push(key)
  return looks
}

/**
 * Reads the packets of a track of pictures to the end of the file and decodes its key frames, because no header tells
 * where the pictures end or that their size changes. Where the format is not expected to change, some key frames do, unless
 * it does change. Throws FfmpegError.
 */
export async function scan(
  run: ScanRun,
  video: VideoStream,
): Promise<{ scan: Scan /** Undefined where they are not certain. */; times: FrameTimes | undefined }> {
  const keyFrames = ['-skip_frame', 'nokey', '-skip_loop_filter', 'all']
  const decoding = [...pictureLimit, '-threads', String(video.width > 0 ? threadsFor(video).decoder : 1), ...keyFrames]
  const output = ['-v', 'error', '-of', 'compact', '-select_streams', String(video.index), '-show_entries']
  const formats = new Map<string, PictureFormat>()
  let decoded: number[] = []
  let [interlaced, isStatedAnew] = [false, false]
  const clock = createFrameClock(!mayStartAgain(run.container))

  const read = (part: string, places: string[] = []) =>
    runSupervised({
      ...run,
      program: run.ffprobePath,
      args: [
        ...[...output, part, ...(part === ofPackets ? [] : decoding)],
        ...[...places, ...accessTo(run.input, run.container)],
      ],
      maxBytes: 0,
      onLine(line) {
        const [kind, ...pairs] = line.split('|')
        const fields = Object.fromEntries(pairs.map((pair) => pair.split('=', 2)))
        if (kind === 'packet') clock.add(fields)
        isStatedAnew ||= fields.side_data_type === 'New Extradata'
        if (kind !== 'frame') return clock.seconds()
        decoded.push(Number(fields[frameTime]))
        const format = toPictureFormat(fields)
        if (formats.size < mostFormats) formats.set(JSON.stringify(format), format)
        interlaced ||= fields.interlaced_frame === '1'
        return clock.seconds()
      },
    })

  const isExpected = isUniform(run, video)
  const errorOutput = await read(isExpected ? ofPackets : `${ofPackets}:${ofFrames}`)
  if (isExpected) {
    const looks = isStatedAnew ? [] : looksAt(clock.keys())
    // A key frame of its own second is the next one after a moment before it.
    const places = looks.map((second) => `${second}%+#1`).join()
    const isSure = looks.length > 0 && (await read(ofFrames, ['-read_intervals', places]).then(() => true, isOfInput))
    if (!isSure || decoded.length < looks.length || formats.size !== 1) {
      decoded = []
      formats.clear()
      await read(ofFrames)
    } else decoded = [...clock.keys()]
  }
  const isCut = /partial file|ended prematurely/.test(errorOutput)
  const { scan, times } = clock.result(Float64Array.from(decoded).sort())
  const isDecodable = formats.size > 0
  return {
    scan: { formats: isDecodable ? [...formats.values()] : [video], isDecodable, interlaced, isCut, ...scan },
    times,
  }
}

/** Returns false for an error of the input, and throws any other one. */
function isOfInput(error: unknown): false {
  if (error instanceof FfmpegError && !['killed', 'disk full', 'aborted', 'stalled'].includes(error.why)) return false
  throw error
}
