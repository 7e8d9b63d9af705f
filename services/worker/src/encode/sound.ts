import type { Container } from '@playtherapy/schema'
import type { AudibleStream } from '../ffmpeg/audible.ts'
import { mayStartAgain } from '../ffmpeg/frame-clock.ts'

/**
 * Keeps a sound in step with its time stamps, which are on the clock of the picture: players only count samples. Gaps are
 * filled with silence, and overlaps cut, as soon as they add up to 50 ms. A drift of up to 0.2 % is followed without a gap.
 */
const inStep = 'aresample=async=100:min_comp=0.02:min_hard_comp=0.05'

/**
 * Turns two channels by about a quarter of a wave against each other (73 to 98 degrees from 80 Hz to 7 kHz), so that they
 * do not cancel out when they are mixed, be they equal or opposite, as from a microphone with a balanced plug.
 */
const turned = 'aformat=channel_layouts=stereo,allpass=f=180:t=q:w=0.16:c=FL,allpass=f=1080:t=q:w=0.16:c=FR'

/**
 * Mixes a sound down before its gaps are filled, because the silence of six channels takes three times the memory. It is
 * always stereo, since a mono sound can become one of two channels that cancel out.
 */
const small = 'aformat=sample_fmts=s16p:channel_layouts=stereo'
/** A sixth of that: as clear as a telephone of today, and gaps of an hour fit. */
const smallest = `${turned},aformat=sample_fmts=s16p:channel_layouts=mono:sample_rates=16000`

/** A sound that begins so many seconds late is given silence before it: players go over shorter gaps. */
const leastLateSeconds = 0.1
/** Silence from the beginning of the recording on. A filter of its own, because it changes how gaps are measured. */
const fromBeginning = 'aresample=async=1:first_pts=0'
/** Seconds of silence that {@link fromBeginning} makes at most, because it makes all at once, in memory. */
const mostAtOnceSeconds = 600

/**
 * Filters that put silence before a sound that was found to begin so late. That of a long time is made piece by piece, by whole
 * seconds.
 */
function silenceBefore(seconds: number): string[] {
  if (seconds <= mostAtOnceSeconds) return [fromBeginning]
  const whole = Math.floor(seconds)
  return [`asetpts=PTS-${whole}/TB`, fromBeginning, `adelay=${whole}s:all=1`]
}

/**
 * ffmpeg's options for the sound of a rendition. A copy would keep gaps, and what changes in the middle of a recording. The
 * silence of a gap is made at once, in memory: with 16 bits, gaps of eleven minutes fit. `hasLongGaps` makes room for longer
 * ones. It is silent from the beginning of the recording to its end where there is no sound, because players of HLS stand
 * still where one of picture and sound is missing. Only where its clock may have started again, so that it may begin at another
 * time, there is nothing before a sound that begins ten minutes late: all of its silence would be made at once.
 */
export function renditionSound(
  { index, from }: AudibleStream,
  recording: { container: Container; from: number; seconds: number; hasLongGaps: boolean },
): string[] {
  const before = from - recording.from
  const isTooMuch = before > mostAtOnceSeconds && mayStartAgain(recording.container)
  const isLate = before > leastLateSeconds && !isTooMuch
  const length = Math.max(0, recording.seconds - (isLate ? 0 : before)).toFixed(3)
  const filters = [
    ...[recording.hasLongGaps ? smallest : small, inStep],
    ...[...(isLate ? silenceBefore(before) : []), `apad=whole_dur=${length}`],
  ]
  return [
    ...['-map', `0:${index}`, '-af', filters.join()],
    // At this bit rate, ffmpeg's fast search for the factors makes no larger errors than its usual one, in less time.
    ...'-c:a aac -aac_coder fast -b:a 128k -ac 2 -ar 48000'.split(' '),
  ]
}

/** ffmpeg's options for a file of the sound alone. It keeps gaps and a late start as time stamps, see {@link pieceSound}. */
export const transcriberSound = ({ index }: AudibleStream): string[] => [
  ...['-map', `0:${index}`, '-af', turned],
  ...'-map_metadata -1 -map_chapters -1 -c:a aac -b:a 32k -ac 1 -ar 16000 -f ipod'.split(' '),
]

/** ffmpeg's options for so many seconds of that file as a transcriber gets them: without gaps, padded with silence. */
export const pieceSound = (seconds: number): string[] => [
  ...['-af', 'aresample=async=1:min_hard_comp=0.05:first_pts=0,apad', '-t', String(seconds)],
  ...'-ac 1 -ar 16000 -f flac'.split(' '),
]
