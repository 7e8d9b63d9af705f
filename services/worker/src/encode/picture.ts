import { mostKbitsOf } from '@playtherapy/schema'
import { type Static, Type } from 'typebox'
import { threadsFor } from '../ffmpeg/limits.ts'
import type { PictureFormat } from '../ffmpeg/picture-format.ts'
import type { VideoStream } from '../ffmpeg/probe.ts'
import type { Scan } from '../ffmpeg/scan.ts'
import { conversion, encodedTags, isBt709, isTagged } from './colour.ts'

/** Most frames a second that count as 30: cameras state 30.02, and a rounded time base a little more. */
const mostFps = 31

/** The sides of 1080p in pixels; the picture must fit in landscape or in portrait. */
const [longSide, shortSide] = [1920, 1080]
/** The short side of the lower rung in pixels. */
const lowerSide = 480

/** The profiles and the highest level that the browsers and their hardware play. */
const profiles = ['Constrained Baseline', 'Baseline', 'Main', 'High', 'Progressive High', 'Constrained High']
const highestLevel = 51

/** Seconds of the longest group of frames in a copy: a player can begin only at its start, and reads it as one segment. */
const longestGroupSeconds = 20

/** Pause in seconds between two key frames. */
export const keySeconds = 2

const even = (side: number) => Math.max(2, Math.trunc(side / 2) * 2)

/** In pixels. */
export const Size = Type.Object({ width: Type.Integer(), height: Type.Integer() })
export type Size = Static<typeof Size>

/** The size of a picture with square pixels, shrunk into 1080p, with even sides for 4:2:0. */
function shownSize({ width, height, pixelAspect }: PictureFormat, sideways: boolean): Size {
  const [across, down] = sideways ? [height, width * pixelAspect] : [width * pixelAspect, height]
  const factor = Math.min(1, longSide / Math.max(across, down), shortSide / Math.min(across, down))
  return { width: even(across * factor), height: even(down * factor) }
}

/** The size of the upper rung. Pictures of several sizes are fitted into one as wide as the widest and as high as the highest. */
export function upperSize({ sideways }: VideoStream, { formats }: Scan): Size {
  const sizes = formats.map((format) => shownSize(format, sideways))
  return { width: Math.max(...sizes.map(({ width }) => width)), height: Math.max(...sizes.map(({ height }) => height)) }
}

/** The size of the lower rung; undefined where the upper one is as small. */
export function lowerSize({ width, height }: Size): Size | undefined {
  const half = lowerSide / Math.min(width, height) / 2
  return half < 0.5 ? { width: Math.round(width * half) * 2, height: Math.round(height * half) * 2 } : undefined
}

/** Whether every browser plays the picture as it is, as the camera showed it, and with the same colours. */
export const isPlayable = (
  video: VideoStream,
  { formats, interlaced, frameRate, longestGroup, hasHidden }: Scan,
): boolean =>
  video.codec === 'h264' &&
  profiles.includes(video.profile) &&
  video.level > 0 &&
  video.level <= highestLevel &&
  video.upright &&
  !interlaced &&
  !hasHidden &&
  frameRate <= mostFps &&
  longestGroup <= longestGroupSeconds &&
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
 * Least pause in seconds between two frames that are kept, so that there are at most 30 a second: each second or third one
 * is kept, so that the pauses between them stay equal. Undefined where all are kept.
 */
export function leastPause({ frameRate }: Scan): number | undefined {
  const keptOf = Math.ceil(frameRate / mostFps)
  return keptOf > 1 ? Number(((keptOf - 0.5) / frameRate).toFixed(6)) : undefined
}

/**
 * ffmpeg's filters that make a picture one of the colours of BT.709 and at most 30 frames a second, in this size, which is
 * that of a rung. ffmpeg turns and flips it before, as its display matrix says. `part` selects a part of the recording.
 */
export function pictureFilters(video: VideoStream, scan: Scan, size: Size, part: string[]): string[] {
  const { width, height } = size
  const sizes = scan.formats.map((format) => shownSize(format, video.sideways))
  const oneSize = sizes.every((one) => one.width === sizes[0]?.width && one.height === sizes[0]?.height)
  const pause = leastPause(scan)
  const [format = video] = scan.formats
  const [across, down] = video.sideways ? [format.height, format.width] : [format.width, format.height]
  // A size that was not found before is fitted in, too.
  const isFound = oneSize ? `eq(iw,${across})*eq(ih,${down})` : '0'
  const fitted = [
    `'if(${isFound},${width},min(${width},trunc(${height}*dar/2+.5)*2))'`,
    `'if(${isFound},${height},min(${height},trunc(${width}/dar/2+.5)*2))'`,
  ]
  return [
    ...(scan.interlaced ? ['yadif'] : []),
    ...part,
    ...(pause ? [`select='isnan(prev_selected_t)+gte(t-prev_selected_t,${pause})'`] : []),
    ...conversion(format, [...fitted, 'eval=frame'].join(':')),
    'setsar=1',
    `pad=${width}:${height}:(ow-iw)/2:(oh-ih)/2:eval=frame`,
  ]
}

/**
 * Options that encode a picture of this size as H.264 with a key frame every two seconds. All of its chunks get the same
 * header. Frames are not reordered (`-bf 0`): only then the times of decoding and of presentation are the same, so that the
 * chunks of a recording with uneven pauses follow each other exactly, and an MP4 does not end too early.
 * `largest` is the largest picture that is decoded: its frames leave little memory for the threads of the lower rung.
 */
export const h264 = (size: Size, rung: 'upper' | 'lower', largest: Size): string[] => {
  const quality = rung === 'upper' ? 23 : 24
  const kbits = mostKbitsOf(rung, size)
  return [
    ...['-c:v', 'libx264', '-preset', 'veryfast', '-crf', `${quality}`, '-pix_fmt', 'yuv420p', '-bf', '0'],
    ...['-maxrate', `${kbits}k`, '-bufsize', `${kbits * 2}k`],
    // Each frame keeps its own time: a guessed rate would repeat or drop some.
    // x264 chooses the level by the rate, which it would else take from the time base.
    ...['-vsync', 'vfr', '-enc_time_base', '1:90000', '-x264-params', 'fps=30:scenecut=0'],
    ...['-force_key_frames', `expr:if(isnan(prev_forced_t),1,gte(t,prev_forced_t+${keySeconds}))`, '-forced-idr', '1'],
    ...encodedTags,
    ...['-threads:v', String(threadsFor(rung === 'lower' ? largest : size).encoder)],
  ]
}
