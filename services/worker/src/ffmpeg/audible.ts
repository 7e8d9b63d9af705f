import { type Static, Type } from 'typebox'
import { AudioStream, accessTo } from './probe.ts'
import type { ScanRun } from './scan.ts'
import { FfmpegError, runSupervised } from './supervised.ts'

/** Seconds of each track that are decoded at first; further on only where no track yields sound in its own. */
const firstSeconds = 10
/** A file with more tracks of sound than this is no recording of a camera, and each look may read the whole file. */
const mostTracks = 8
/** Bytes a second at which a file is at least read, to find a sound that comes late. */
const bytesPerSecond = 50_000_000

/** A sound track that can be decoded. */
export const AudibleStream = Type.Object({
  ...AudioStream.properties,
  /** Second of its first sound, on the clock of the file. */
  from: Type.Number(),
})

export type AudibleStream = Static<typeof AudibleStream>

/**
 * Returns the first of these tracks that yields sound, by decoding them: a phone records tracks of a codec that ffmpeg does
 * not know, other tracks are damaged or empty. Undefined if there is none.
 */
export async function findAudible(tracks: AudioStream[], run: ScanRun): Promise<AudibleStream | undefined> {
  for (const interval of [`%+${firstSeconds}`, '%']) {
    for (const track of tracks.slice(0, mostTracks)) {
      const from = await firstSound(track, interval, run)
      if (from !== undefined) return { ...track, from }
    }
  }
  return undefined
}

/**
 * Second at which a track yields its first sound within ffprobe's interval, which counts from the first packet of the
 * track. Undefined if there is none, or none is found in time: a picture is shown without the sound that would delay it.
 */
async function firstSound({ index }: AudioStream, interval: string, run: ScanRun): Promise<number | undefined> {
  const found = new AbortController()
  let from: number | undefined
  // All fields are printed, because ffprobe keeps its output until 4 KiB are full: here some fifteen frames.
  const frames = ['-v', 'error', '-of', 'compact', '-show_frames', '-threads', '1']
  const part = ['-select_streams', `${index}`, '-read_intervals', interval]
  try {
    await runSupervised({
      ...run,
      program: run.ffprobePath,
      args: [...frames, ...part, ...accessTo(run.input, run.container)],
      maxBytes: 0,
      stallSeconds: run.stallSeconds + run.size / bytesPerSecond,
      signal: AbortSignal.any([run.signal, found.signal]),
      onLine(line) {
        if (!line.startsWith('frame|')) return undefined
        from ??= Number(/\|best_effort_timestamp_time=([^|]*)/.exec(line)?.[1]) || 0
        found.abort()
        return undefined
      },
    })
  } catch (error) {
    const isOfMachine = !(error instanceof FfmpegError) || ['killed', 'disk full', 'aborted'].includes(error.why)
    if (isOfMachine && from === undefined) throw error
  }
  return from
}
