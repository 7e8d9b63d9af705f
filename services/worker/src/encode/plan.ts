import { PermanentError } from '@playtherapy/jobs'
import type { AudibleStream } from '../ffmpeg/audible.ts'
import { largestPicture, threadsFor } from '../ffmpeg/limits.ts'
import type { Probe, VideoStream } from '../ffmpeg/probe.ts'
import { needsOwnInput, renditionSound, transcriberSound } from './sound.ts'

/** Most frames a second that count as 30: cameras state 30.02, and a rounded time base a little more. */
const mostFps = 31

/** The sides of 1080p in pixels; the picture must fit in landscape or in portrait. */
const [longSide, shortSide] = [1920, 1080]

export interface Plan {
  /** Whether the picture is copied and not encoded. */
  remux: boolean
  /** How often ffmpeg opens the file. */
  inputs: number
  /** Threads of ffmpeg's parts. */
  threads: ReturnType<typeof threadsFor>
  /** ffmpeg's output options, without the file. */
  options: string[]
  /** Options for a file of the sound alone, for a transcriber; undefined without sound. */
  audioOptions: string[] | undefined
}

const fits = ({ width, height }: VideoStream) =>
  Math.max(width, height) <= longSide && Math.min(width, height) <= shortSide

/** Whether every browser plays the picture as it is: H.264, upright, within 1080p and 30 frames a second. */
const playableVideo = (video: VideoStream) =>
  video.codec === 'h264' &&
  ['yuv420p', 'yuvj420p'].includes(video.pixelFormat) &&
  video.rotation === 0 &&
  video.squarePixels &&
  !video.interlaced &&
  video.frameRate <= mostFps &&
  video.width % 2 === 0 &&
  video.height % 2 === 0 &&
  fits(video)

/** Makes pixels square, then shrinks the picture into 1080p, with even sides for 4:2:0. ffmpeg has rotated it before. */
const scale = [
  "scale=w='trunc(iw*sar/2)*2':h='trunc(ih/2)*2'",
  'setsar=1',
  `scale=w='if(gte(iw,ih),min(iw,${longSide}),min(iw,${shortSide}))':h='if(gte(iw,ih),min(ih,${shortSide}),min(ih,${longSide}))':force_original_aspect_ratio=decrease`,
  "scale=w='trunc(iw/2)*2':h='trunc(ih/2)*2'",
]

/**
 * Plans ffmpeg's work: it copies a picture that browsers play, transcodes others to H.264 yuv420p within 1080p and 30
 * frames a second, and encodes the sound as AAC. Metadata is removed, because a phone's contains the place of the
 * recording. Throws PermanentError when there is no picture, or one that is too large to decode.
 */
export function plan({ video, from }: Probe, sound: AudibleStream | undefined): Plan {
  if (!video) throw new PermanentError('The file has no picture, only sound or nothing at all.')
  const { width, height } = video
  if (width === 0 || width * height > largestPicture.pixels) {
    const most = `${largestPicture.width} × ${largestPicture.height}`
    throw new PermanentError(`The picture cannot be read, or is larger than ${most} pixels.`)
  }
  const threads = threadsFor(video)
  const remux = playableVideo(video)
  const filters = [...(video.interlaced ? ['yadif'] : []), ...scale, ...(video.frameRate > mostFps ? ['fps=30'] : [])]
  const picture = remux
    ? ['-c:v', 'copy']
    : [
        ...['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '23', '-pix_fmt', 'yuv420p'],
        ...['-threads:v', String(threads.encoder), '-vf', filters.join(',')],
      ]
  const soundInput = sound && needsOwnInput(from, sound) ? 1 : 0
  return {
    remux,
    inputs: soundInput + 1,
    threads,
    options: [
      ...['-map', `0:${video.index}`],
      ...['-sn', '-dn', '-map_metadata', '-1', '-map_chapters', '-1'],
      ...picture,
      ...(sound ? renditionSound(sound, soundInput) : []),
      ...['-max_muxing_queue_size', '4096', '-movflags', '+faststart', '-f', 'mp4'],
    ],
    audioOptions: sound && transcriberSound(sound, soundInput),
  }
}
