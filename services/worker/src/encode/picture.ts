import { threadsFor } from '../ffmpeg/limits.ts'
import type { PictureFormat } from '../ffmpeg/picture-format.ts'
import type { VideoStream } from '../ffmpeg/probe.ts'
import type { Scan } from '../ffmpeg/scan.ts'
import { conversion, encodedTags, isBt709, isTagged } from './colour.ts'

/** Most frames a second that count as 30: cameras state 30.02, and a rounded time base a little more. */
const mostFps = 31

/** The sides of 1080p in pixels; the picture must fit in landscape or in portrait. */
const [longSide, shortSide] = [1920, 1080]

/** The profiles and the highest level that the browsers and their hardware play. */
const profiles = ['Constrained Baseline', 'Baseline', 'Main', 'High', 'Progressive High', 'Constrained High']
const highestLevel = 51

/**
 * Longest pause between two frames, in seconds, at which B-frames are used: an MP4 ends as much too early as the last two
 * or three pauses are long, because its length is that of the order of decoding.
 */
const longestPauseOfB = 0.2

const even = (side: number) => Math.max(2, Math.trunc(side / 2) * 2)

/** The size of a picture with square pixels, shrunk into 1080p, with even sides for 4:2:0. */
function shownSize({ width, height, pixelAspect }: PictureFormat, sideways: boolean) {
  const [across, down] = sideways ? [height, width * pixelAspect] : [width * pixelAspect, height]
  const factor = Math.min(1, longSide / Math.max(across, down), shortSide / Math.min(across, down))
  return { width: even(across * factor), height: even(down * factor) }
}

/** Whether every browser plays the picture as it is, as the camera showed it, and with the same colours. */
export const isPlayable = (video: VideoStream, { formats, interlaced, frameRate }: Scan): boolean =>
  video.codec === 'h264' &&
  profiles.includes(video.profile) &&
  video.level > 0 &&
  video.level <= highestLevel &&
  video.upright &&
  !interlaced &&
  frameRate <= mostFps &&
  formats.length === 1 &&
  formats.every((format) => {
    const { width, height } = shownSize(format, false)
    return format.pixelFormat === 'yuv420p' && isBt709(format) && format.width === width && format.height === height
  })

/** Options that copy a picture. Where it has no tags, its colours are those of its size, and the copy says so. */
export const copied = ({ formats }: Scan): string[] => [
  ...['-c:v', 'copy'],
  ...(formats.every(isTagged)
    ? []
    : ['-bsf:v', 'h264_metadata=colour_primaries=1:transfer_characteristics=1:matrix_coefficients=1']),
]

/**
 * Options that encode a picture as H.264 of the colours of BT.709, within 1080p and 30 frames a second. ffmpeg turns and
 * flips it before, as its display matrix says. Pictures of several sizes are fitted into one that is as wide as the widest
 * and as high as the highest.
 */
export function encoded({ sideways }: VideoStream, { formats, interlaced, frameRate, longestPause }: Scan): string[] {
  const sizes = formats.map((format) => shownSize(format, sideways))
  const width = Math.max(...sizes.map((size) => size.width))
  const height = Math.max(...sizes.map((size) => size.height))
  const oneSize = sizes.every((size) => size.width === width && size.height === height)
  const fitted = [`'min(${width},trunc(${height}*dar/2+.5)*2)'`, `'min(${height},trunc(${width}/dar/2+.5)*2)'`]
  const scale = oneSize ? [`${width}`, `${height}`] : [...fitted, 'eval=frame']
  // Of frames that follow too closely, each second or third one is kept, so that the pauses between them stay equal.
  const keptOf = Math.ceil(frameRate / mostFps)
  const leastPause = (keptOf - 0.5) / frameRate
  const filters = [
    ...(interlaced ? ['yadif'] : []),
    ...(keptOf > 1 ? [`select='isnan(prev_selected_t)+gte(t-prev_selected_t,${leastPause.toFixed(6)})'`] : []),
    ...conversion(formats[0], scale.join(':')),
    'setsar=1',
    ...(oneSize ? [] : [`pad=${width}:${height}:(ow-iw)/2:(oh-ih)/2:eval=frame`]),
  ]
  return [
    ...['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '23', '-pix_fmt', 'yuv420p'],
    // Each frame keeps its own time: a guessed rate would repeat or drop some.
    // x264 chooses the level by the rate, which it would else take from the time base.
    ...['-vsync', 'vfr', '-enc_time_base', '1:90000', '-x264-params', 'fps=30'],
    ...encodedTags,
    ...(longestPause > longestPauseOfB ? ['-bf', '0'] : []),
    ...['-threads:v', String(threadsFor({ width, height }).encoder), '-vf', filters.join(',')],
  ]
}
