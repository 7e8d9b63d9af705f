import type { AudibleStream } from '../ffmpeg/audible.ts'
import { threadsFor } from '../ffmpeg/limits.ts'
import type { Picture } from './choose-picture.ts'
import { copied, h264, isPlayable, pictureFilters, upperSize } from './picture.ts'
import { needsOwnInput, renditionSound, transcriberSound } from './sound.ts'

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

/** What becomes the rendition. */
interface Tracks {
  picture: Picture
  /** Undefined without sound. */
  sound: AudibleStream | undefined
  /** Second at which the clock of the file begins. */
  from: number
}

/** What a first attempt at a recording may find out. */
export interface Finding {
  /** The picture cannot be copied. */
  mustEncode: boolean
  /** The sound has a gap whose silence does not fit into memory. */
  hasLongGaps: boolean
}

/**
 * Plans ffmpeg's work: it copies a picture that browsers play, unless it must be encoded, transcodes others to H.264, and
 * encodes the sound as AAC. Metadata is removed, because a phone's contains the place of the recording.
 */
export function plan({ picture: { video, scan }, sound, from }: Tracks, { mustEncode, hasLongGaps }: Finding): Plan {
  const remux = !mustEncode && isPlayable(video, scan)
  const size = upperSize(video, scan)
  const largest = scan.formats.toSorted((one, other) => other.width * other.height - one.width * one.height)[0]
  const soundInput = sound && needsOwnInput(from, sound) ? 1 : 0
  return {
    remux,
    inputs: soundInput + 1,
    threads: threadsFor(largest ?? video),
    options: [
      ...['-map', `0:${video.index}`],
      ...['-sn', '-dn', '-map_metadata', '-1', '-map_chapters', '-1'],
      ...(remux ? copied(scan) : [...h264(size, 'upper'), '-vf', pictureFilters(video, scan, size, []).join(',')]),
      ...(sound ? renditionSound(sound, soundInput, hasLongGaps) : []),
      ...['-max_muxing_queue_size', '4096', '-movflags', '+faststart', '-f', 'mp4'],
    ],
    audioOptions: sound && transcriberSound(sound, soundInput),
  }
}
