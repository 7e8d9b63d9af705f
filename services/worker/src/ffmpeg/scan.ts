import type { Container } from '@playtherapy/schema'
import type { Input } from './bounded.ts'
import { pictureLimit, threadsFor } from './limits.ts'
import { type PictureFormat, toPictureFormat } from './picture-format.ts'
import { accessTo, type VideoStream } from './probe.ts'
import { runSupervised, type Supervised } from './supervised.ts'

/** What the packets and key frames of a track of pictures say. */
export interface Scan {
  /** Each format once, in the order of their first use, at most {@link mostFormats}. */
  formats: [PictureFormat, ...PictureFormat[]]
  /** Whether a key frame could be decoded; otherwise the format is that of the header. */
  isDecodable: boolean
  interlaced: boolean
  /** Frames a second as they follow each other, without gaps of more than a second; 0 where none follow so closely. */
  frameRate: number
  /** Seconds of the longest pause between two frames. */
  longestPause: number
  /** Seconds from the first key frame, before which nothing can be shown, to the last picture. */
  seconds: number
  /** Seconds from the first picture to the end of the last one. */
  endSeconds: number
  /** The file ends before what it announces. */
  isCut: boolean
}

export interface ScanRun extends Pick<Supervised, 'size' | 'stallSeconds' | 'maxSeconds' | 'memoryBytes' | 'signal'> {
  ffprobePath: string
  input: Input
  container: Container
}

const mostFormats = 100
/** Longest pause between two pictures that counts for the frame rate, in seconds. */
const closePause = 1

const packetEntries = ['pts_time', 'dts_time', 'duration_time', 'flags']
const frameEntries = ['width', 'height', 'sample_aspect_ratio', 'pix_fmt', 'interlaced_frame', 'color_range']
const colourEntries = ['color_space', 'color_primaries', 'color_transfer']
const entries = `packet=${packetEntries.join(',')}:frame=${[...frameEntries, ...colourEntries].join(',')}`

/**
 * Reads the packets of a track of pictures to the end of the file and decodes its key frames, because no header tells
 * where the pictures end or that their size changes. Throws FfmpegError.
 */
export async function scan(run: ScanRun, video: VideoStream): Promise<Scan> {
  const decoding = [...pictureLimit, '-threads', String(threadsFor(video).decoder)]
  const keyFrames = ['-skip_frame', 'nokey', '-skip_loop_filter', 'all', '-select_streams', String(video.index)]
  const output = ['-v', 'error', '-of', 'compact', '-show_packets', '-show_frames', '-show_entries', entries]
  const formats = new Map<string, PictureFormat>()
  let interlaced = false
  const clock = createClock(run.container !== 'mpegts' && run.container !== 'mpegps')
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
      const format = toPictureFormat(fields)
      if (formats.size < mostFormats) formats.set(JSON.stringify(format), format)
      interlaced ||= fields.interlaced_frame === '1'
      return clock.seconds()
    },
  })
  const isCut = /partial file|ended prematurely/.test(errorOutput)
  const [first = video, ...more] = formats.values()
  return { formats: [first, ...more], isDecodable: formats.size > 0, interlaced, isCut, ...clock.result() }
}

/**
 * Gathers the times of packets, which come in the order of decoding and not in that of their presentation. The clock of a
 * transport or program stream starts at any value, and starts again during a recording, so there only the pauses count.
 */
function createClock(isContinuous: boolean) {
  let [first, last, end] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
  let [firstKey, before] = [Number.NaN, Number.NaN]
  let [pauses, paused, longestPause] = [0, 0, 0]
  const seconds = () => (isContinuous ? Math.max(0, last - firstKey || 0) : paused)
  return {
    seconds,
    add({ pts_time, dts_time, duration_time, flags }: Record<string, string | undefined>) {
      const shown = Number(pts_time ?? Number.NaN)
      const decoded = Number(dts_time ?? Number.NaN)
      const time = Number.isNaN(shown) ? decoded : shown
      if (Number.isNaN(time)) return
      first = Math.min(first, time)
      end = Math.max(end, time + (Number(duration_time) || 0))
      if (Number.isNaN(firstKey) && flags?.startsWith('K')) firstKey = time
      if (Number.isNaN(firstKey)) return
      last = Math.max(last, time)
      const pause = decoded - before
      longestPause = Math.max(longestPause, pause || 0)
      if (pause > 0 && pause <= closePause) {
        pauses += 1
        paused += pause
      }
      before = decoded
    },
    result: () => ({
      seconds: seconds(),
      endSeconds: Math.max(0, end - first),
      frameRate: paused > 0 ? pauses / paused : 0,
      longestPause,
    }),
  }
}
