import type { Input } from '../ffmpeg/bounded.ts'
import type { FfmpegRun } from '../ffmpeg/ffmpeg.ts'
import type { ScratchFile } from '../ffmpeg/scratch.ts'

interface Rungs {
  upper: Input
  /** Undefined without sound. */
  sound: Input | undefined
  /** Length of the picture. */
  seconds: number
}

/**
 * Options for {@link runFfmpeg} that make an MP4 of a whole upper rung and the sound by copying. Their times are kept, so
 * that both begin where they begin in the recording. Its index comes first, so that a player can begin at once.
 */
export function mp4Run(
  { upper, sound, seconds }: Rungs,
  file: ScratchFile,
): Pick<FfmpegRun, 'container' | 'keepsClock' | 'isStream' | 'input' | 'other' | 'outputs' | 'threads'> {
  // From fragments, ffmpeg does not learn how long the last picture is shown.
  const last = `max(1,STARTDTS+${seconds}/TB-DTS)`
  const lasting = ['-bsf:v', `setts=duration='if(eq(NEXT_DTS,NOPTS),${last},NEXT_DTS-DTS)'`]
  const plain = ['-map_metadata', '-1', '-map_chapters', '-1', '-c', 'copy', '-movflags', '+faststart', '-f', 'mp4']
  return {
    ...{ container: 'mp4', keepsClock: true, isStream: true, threads: { decoder: 1, filter: 1 } },
    ...{ input: upper, ...(sound && { other: sound }) },
    outputs: [{ options: ['-map', '0:v', ...(sound ? ['-map', '1:a'] : []), ...lasting, ...plain], file }],
  }
}
