import type { Container } from '@playtherapy/schema'
import { type Static, Type } from 'typebox'
import type { Input } from './bounded.ts'
import { createFrameClock, type FrameTimes } from './frame-clock.ts'
import { pictureLimit, threadsFor } from './limits.ts'
import { PictureFormat, toPictureFormat } from './picture-format.ts'
import { accessTo, type VideoStream } from './probe.ts'
import { runSupervised, type Supervised } from './supervised.ts'

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
const entries = `packet=${packetEntries.join(',')}:frame=${[frameTime, ...frameEntries, ...colourEntries].join(',')}`

/**
 * Reads the packets of a track of pictures to the end of the file and decodes its key frames, because no header tells
 * where the pictures end or that their size changes. Throws FfmpegError.
 */
export async function scan(
  run: ScanRun,
  video: VideoStream,
): Promise<{ scan: Scan /** Undefined where they are not certain. */; times: FrameTimes | undefined }> {
  const decoding = [...pictureLimit, '-threads', String(threadsFor(video).decoder)]
  const keyFrames = ['-skip_frame', 'nokey', '-skip_loop_filter', 'all', '-select_streams', String(video.index)]
  const output = ['-v', 'error', '-of', 'compact', '-show_packets', '-show_frames', '-show_entries', entries]
  const formats = new Map<string, PictureFormat>()
  let interlaced = false
  const clock = createFrameClock(run.container !== 'mpegts' && run.container !== 'mpegps')
  const errorOutput = await runSupervised({
    ...run,
    program: run.ffprobePath,
    args: [...output, ...decoding, ...keyFrames, ...accessTo(run.input, run.container)],
    maxBytes: 0,
    onLine(line) {
      const [kind, ...pairs] = line.split('|')
      const fields = Object.fromEntries(pairs.map((pair) => pair.split('=', 2)))
      if (kind === 'packet') clock.add(fields)
      if (kind !== 'frame') return clock.seconds()
      clock.addDecoded(Number(fields[frameTime]))
      const format = toPictureFormat(fields)
      if (formats.size < mostFormats) formats.set(JSON.stringify(format), format)
      interlaced ||= fields.interlaced_frame === '1'
      return clock.seconds()
    },
  })
  const isCut = /partial file|ended prematurely/.test(errorOutput)
  const { scan, times } = clock.result()
  const isDecodable = formats.size > 0
  return {
    scan: { formats: isDecodable ? [...formats.values()] : [video], isDecodable, interlaced, isCut, ...scan },
    times,
  }
}
