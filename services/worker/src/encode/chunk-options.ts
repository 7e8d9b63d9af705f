import { container } from '@playtherapy/schema'
import { type Static, Type } from 'typebox'
import { AudibleStream } from '../ffmpeg/audible.ts'
import { mayStartAgain } from '../ffmpeg/frame-clock.ts'
import { threadsFor } from '../ffmpeg/limits.ts'
import { VideoStream } from '../ffmpeg/probe.ts'
import { Scan } from '../ffmpeg/scan.ts'
import type { Picture } from './choose-picture.ts'
import { beforeFrameSeconds, seekSeconds } from './cut.ts'
import { copied, h264, isPlayable, keySeconds, lowerSize, pictureFilters, Size, upperSize } from './picture.ts'
import { renditionSound, transcriberSound } from './sound.ts'

/** What a job needs to know of a recording to make a chunk of it, without a look at the original. */
export const EncodePlan = Type.Object({
  container: Type.Enum(container.enumValues),
  /** Second at which the clock of the file begins. */
  from: Type.Number(),
  /** Second at which the picture ends, on the clock of the rendition. */
  seconds: Type.Number(),
  /** Second at which the picture begins, on the clock of the rendition; absent where it is not certain. */
  begin: Type.Optional(Type.Number()),
  picture: Type.Object({ video: VideoStream, scan: Scan }),
  /** Absent without sound. */
  sound: Type.Optional(AudibleStream),
  /**
   * Where the picture is cut into chunks, in seconds on the clock of the rendition, on which 0 is the beginning of the
   * recording. Empty where the picture is one chunk.
   */
  cuts: Type.Array(Type.Number()),
  /** Whether the picture need not be encoded for the upper rung. */
  canCopy: Type.Boolean(),
  upper: Size,
  /** Absent where the upper rung is as small. */
  lower: Type.Optional(Size),
})
export type EncodePlan = Static<typeof EncodePlan>

interface Found {
  container: EncodePlan['container']
  from: number
  picture: Picture
  sound: AudibleStream | undefined
  cuts: number[]
}

/** The plan for a recording of which everything is found out. */
export function encodePlan({ picture: { video, scan, times }, sound, cuts, ...file }: Found): EncodePlan {
  const begin = times?.shown[0] === undefined ? undefined : times.shown[0] - file.from
  const upper = upperSize(video, scan)
  const lower = lowerSize(upper)
  return {
    ...file,
    ...{ picture: { video, scan }, cuts, canCopy: isPlayable(video, scan) && !isLate(begin), upper },
    seconds: times ? Math.max(0, times.end - file.from) : scan.seconds,
    ...(begin !== undefined && { begin }),
    ...(sound && { sound }),
    ...(lower && { lower }),
  }
}

/** A part of the work on a recording, which one job does. */
export interface Chunk {
  kind: 'sound' | 'copy' | 'picture' | 'lower'
  /** Seconds on the clock of the rendition. */
  from: number
  to: number
}

/** What a chunk becomes: a rung each, the sound for a transcriber, and a list of the formats that a copied picture states. */
export type ChunkOutput = 'upper' | 'lower' | 'sound' | 'transcriber' | 'formats'

/** Options for {@link runFfmpeg}. */
export interface ChunkRun {
  /** Whether the filters get the times of the file's clock. Otherwise ffmpeg follows a clock that starts again. */
  keepsClock: boolean
  /** Second on the clock of the file at which to begin; undefined for its beginning. */
  seek: number | undefined
  /** A graph of filters whose results the outputs map; undefined where there is none. */
  graph: string | undefined
  outputs: { made: ChunkOutput; options: string[] }[]
  threads: ReturnType<typeof threadsFor>
}

/** A place and phone number are in a recording's metadata. Packets wait until ffmpeg has found all tracks. */
const plain = ['-map_metadata', '-1', '-map_chapters', '-1', '-max_muxing_queue_size', '4096']

/**
 * Options for fragments that keep the times of their frames. `frag_discont` writes them as they are, and with these options
 * ffmpeg never moves all of them.
 */
const fragmented = (flags: string): string[] => [
  ...['-avoid_negative_ts', 'disabled', '-movflags', `+default_base_moof+frag_discont+skip_trailer${flags}`],
]

/** Seconds that a fragment of a copied picture has at least. */
export const copiedFragmentSeconds = 1.9

/** Fragments that begin with the encoder's key frames. */
const encodedFragments = [...fragmented('+frag_keyframe+empty_moov'), ...'-use_editlist 0 -f mp4'.split(' ')]

/**
 * Fragments that begin with key frames of the camera, of which some make only such. An edit list states by how much frames
 * are shown later than decoded: players and ffmpeg follow it alike, which they do not where a frame is shown before.
 */
const copiedFragments = [
  ...fragmented('+frag_keyframe+delay_moov'),
  ...`-use_editlist 1 -min_frag_duration ${copiedFragmentSeconds * 1e6} -f mp4`.split(' '),
]

/** Gives all parameter sets the same level and frame rate, which do not change what is shown. */
const sameTiming = 'h264_metadata=level=5.1:tick_rate=60:fixed_frame_rate_flag=0'
/** Lists the sequence parameter set of each key frame (H.264, 7.3.2.1), which states its format. */
const formatList = `-c copy -bsf:v h264_mp4toannexb,filter_units=pass_types=7,${sameTiming} -f framecrc`.split(' ')

/** Samples of a packet of AAC, and samples in a second of the sound of a rung. */
const [packetSamples, soundRate] = [1_024, 48_000]
/**
 * Packets of the beginning of a sound, one minute, that is a chunk of its own: the rest of an hour takes half a minute, in
 * which nothing could be played.
 */
const beginningPackets = 2_813
export const beginningSeconds = (beginningPackets * packetSamples) / soundRate
/** Seconds by which more is encoded than the beginning, because an encoder looks ahead. */
const aheadSeconds = 1

/** Fragments of two seconds of a part of a sound, without what the encoder puts before the first sound. */
const soundFragments = (part: string) => [
  ...['-bsf:a', `noise=drop='${part}'`],
  ...fragmented('+empty_moov'),
  ...`-frag_duration ${keySeconds * 1e6} -use_editlist 0 -f mp4`.split(' '),
]

/**
 * Options that also read another track, to nowhere. In a transport or program stream, ffmpeg finds out where the clock starts
 * again from all packets that it reads, so that picture and sound must be read both to stay in step. A sound is decoded,
 * because what a copy must know of it may not be known before it begins.
 */
function alsoRead({ container, picture, sound }: EncodePlan, track: 'picture' | 'sound'): string[] {
  if (!sound || !mayStartAgain(container)) return []
  const read = track === 'sound' ? ['-map', `0:${sound.index}`] : ['-map', `0:${picture.video.index}`, '-c', 'copy']
  return [...read, '-f', 'null', '-']
}

/** Ticks of the clock of a rendition in a second. */
const ticks = 90_000

/**
 * Seconds by which a picture may begin later than its recording. Players of HLS begin with the first picture, and would leave
 * out the sound before it, so that a later one is shown from the beginning on.
 */
export const lateSeconds = 0.5

const isLate = (begin = 0) => begin > lateSeconds

/**
 * ffmpeg's expression that is true for the first frame of a late picture. ffmpeg counts the frames anew where the picture
 * changes its size, so that their number says nothing then.
 */
function isLateFrame({ begin, picture }: EncodePlan, time: string): string {
  if (begin !== undefined) return isLate(begin) ? `lte(${time},${Math.ceil(begin * ticks)})` : '0'
  return picture.scan.formats.length > 1 ? '0' : `eq(N,0)*gt(${time},${lateSeconds * ticks})`
}

/**
 * Filters that select a part of a picture, and set the clock of the rendition. The file's clock may have coarser ticks than
 * the place where it begins, so the selection comes first. A fragment cannot begin before 0.
 */
function partOf(plan: EncodePlan, { from, to }: { from: number | undefined; to: number | undefined }) {
  const { cuts, from: begin } = plan
  const start = from === undefined ? [] : [`start=${(begin + from).toFixed(6)}`]
  const end = to === undefined ? [] : [`end=${(begin + to).toFixed(6)}`]
  const time = `(PTS-(${cuts.length > 0 ? Math.round(begin * ticks) : 0}))`
  const toBeginning = from === undefined ? isLateFrame(plan, time) : '0'
  return [
    ...(start.length + end.length > 0 ? [`trim=${[...start, ...end].join(':')}`] : []),
    ...[`settb=1/${ticks}`, `setpts='if(${toBeginning},0,max(${time},0))'`],
  ]
}

/** Options that let the last picture of a chunk be shown until the first one of the next chunk. */
const lastingUntil = (second: number): string[] => [
  ...['-bsf:v', `setts=duration='if(eq(NEXT_PTS,NOPTS),max(1,${second.toFixed(6)}/TB-PTS),NEXT_PTS-PTS)'`],
]

/**
 * Plans ffmpeg's work on a chunk, of which each output is a file. `hasLongGaps` says that the sound has a gap whose silence
 * does not fit into memory, which only a first attempt finds out.
 */
export function chunkRun(plan: EncodePlan, chunk: Chunk, hasLongGaps = false): ChunkRun {
  const { picture, sound } = plan
  const { video, scan } = picture
  const largest = largestOf(plan)
  const whole = { keepsClock: false, seek: undefined, graph: undefined, threads: threadsFor(largest) }
  if (chunk.kind === 'sound') {
    if (!sound) throw new Error('a sound of a recording without one')
    const made = [...renditionSound(sound, { ...plan, hasLongGaps }), ...plain]
    const border = beginningPackets * packetSamples
    if (chunk.to === beginningSeconds) {
      const part = [...soundFragments(`lt(pts,0)+gte(pts,${border})`), '-t', `${beginningSeconds + aheadSeconds}`]
      return { ...whole, outputs: [{ made: 'sound', options: [...made, ...part] }] }
    }
    // All of it is encoded, so that the rest begins with the very packet that the beginning would have next.
    const part = soundFragments(`lt(pts,${chunk.from === beginningSeconds ? border : 0})`)
    return {
      ...whole,
      outputs: [
        { made: 'sound', options: [...alsoRead(plan, 'picture'), ...made, ...part] },
        { made: 'transcriber', options: transcriberSound(sound) },
      ],
    }
  }
  if (chunk.kind === 'copy') {
    const made = ['-map', `0:${video.index}`, ...copied(scan), ...plain, ...copiedFragments]
    return {
      ...whole,
      outputs: [
        { made: 'upper', options: [...alsoRead(plan, 'sound'), ...made] },
        { made: 'formats', options: ['-map', `0:${video.index}`, ...formatList] },
      ],
    }
  }
  const begins = plan.cuts.includes(chunk.from)
  const ends = plan.cuts.includes(chunk.to)
  const part = partOf(plan, { from: begins ? chunk.from : undefined, to: ends ? chunk.to : undefined })
  const last = ends ? lastingUntil(chunk.to + beforeFrameSeconds) : []
  const { upper, lower } = plan
  const rungs = chunk.kind === 'lower' ? { lower } : { upper, lower }
  const size = chunk.kind === 'picture' ? upper : lower
  if (!size) throw new Error('a lower picture of a recording without one')
  const filters = pictureFilters(video, scan, size, part).join(',')
  const graph =
    rungs.upper && lower
      ? `[0:${video.index}]${filters},split[upper][other];[other]scale=${lower.width}:${lower.height},setsar=1[lower]`
      : `[0:${video.index}]${filters}[${rungs.upper ? 'upper' : 'lower'}]`
  const outputs = (['upper', 'lower'] as const).flatMap((rung) => {
    const size = rungs[rung]
    if (!size) return []
    return [
      {
        made: rung,
        options: ['-map', `[${rung}]`, ...h264(size, rung, largest), ...last, ...plain, ...encodedFragments],
      },
    ]
  })
  const [one, ...more] = outputs
  const read = alsoRead(plan, 'sound')
  return {
    ...whole,
    graph,
    ...(plan.cuts.length > 0 && {
      keepsClock: true,
      seek: begins ? seekSeconds(plan.from + chunk.from, scan) : undefined,
    }),
    outputs: one ? [{ ...one, options: [...read, ...one.options] }, ...more] : [],
  }
}

const largestOf = ({ picture: { video, scan } }: EncodePlan) =>
  scan.formats.toSorted((one, other) => other.width * other.height - one.width * one.height)[0] ?? video
