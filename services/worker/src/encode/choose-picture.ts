import { PermanentError } from '@playtherapy/jobs'
import { failures } from '@playtherapy/schema'
import type { FrameTimes } from '../ffmpeg/frame-clock.ts'
import { largestPicture } from '../ffmpeg/limits.ts'
import type { Probe, VideoStream } from '../ffmpeg/probe.ts'
import { type Scan, type ScanRun, scan } from '../ffmpeg/scan.ts'

export interface Picture {
  video: VideoStream
  scan: Scan
  times: FrameTimes | undefined
}

/** A file with more tracks of pictures than this is no recording of a camera, and each scan reads the whole file. */
const mostScans = 3

/**
 * Chooses the first track of pictures of which ffmpeg can show something. Throws PermanentError when there is no picture,
 * or only one that is too large to decode, and FfmpegError.
 */
export async function choosePicture({ pictures }: Probe, run: ScanRun): Promise<Picture> {
  if (pictures.length === 0) throw new PermanentError(failures.no_picture)
  // One whose size ffprobe does not know gets it from its frames.
  const small = pictures.filter(({ width, height }) => width * height <= largestPicture.pixels)
  const scanned: Picture[] = []
  for (const video of small.slice(0, mostScans)) {
    const picture = { video, ...(await scan(run, video)) }
    if (picture.scan.isDecodable) return picture
    scanned.push(picture)
  }
  const first = scanned.find(({ video }) => video.width > 0)
  if (first) return first
  const refusal = `${failures.picture_too_large} ${largestPicture.width} × ${largestPicture.height} pixels.`
  throw new PermanentError(refusal)
}
