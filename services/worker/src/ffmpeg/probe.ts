import { once } from 'node:events'
import type { Container } from '@playtherapy/schema'
import { inSpan } from '@playtherapy/tracing'
import { type Static, type TSchema, Type } from 'typebox'
import { failedByInput, type Input, startBounded } from './bounded.ts'
import { pictureLimit } from './limits.ts'
import { PictureFormat, toPictureFormat } from './picture-format.ts'
import { rankPictures } from './rank-pictures.ts'

/** ffmpeg's demuxer for each container. It is forced, so that a disguised playlist opens no other file. */
const demuxer = {
  mp4: 'mov',
  matroska: 'matroska',
  mpegts: 'mpegts',
  mpegps: 'mpeg',
  avi: 'avi',
} as const satisfies Record<Container, string>

const Stream = Type.Object({
  index: Type.Integer(),
  codec_type: Type.Optional(Type.String()),
  codec_name: Type.Optional(Type.String()),
  profile: Type.Optional(Type.String()),
  level: Type.Optional(Type.Integer()),
  pix_fmt: Type.Optional(Type.String()),
  width: Type.Optional(Type.Integer()),
  height: Type.Optional(Type.Integer()),
  sample_aspect_ratio: Type.Optional(Type.String()),
  field_order: Type.Optional(Type.String()),
  color_range: Type.Optional(Type.String()),
  color_space: Type.Optional(Type.String()),
  color_primaries: Type.Optional(Type.String()),
  color_transfer: Type.Optional(Type.String()),
  avg_frame_rate: Type.Optional(Type.String()),
  start_time: Type.Optional(Type.String()),
  duration: Type.Optional(Type.String()),
  nb_frames: Type.Optional(Type.String()),
  channels: Type.Optional(Type.Integer()),
  disposition: Type.Optional(Type.Record(Type.String(), Type.Integer())),
  tags: Type.Optional(Type.Object({ DURATION: Type.Optional(Type.String()) })),
  side_data_list: Type.Optional(
    Type.Array(Type.Object({ rotation: Type.Optional(Type.Number()), displaymatrix: Type.Optional(Type.String()) })),
  ),
})

type Stream = Static<typeof Stream>

const Output = Type.Object({
  streams: Type.Optional(Type.Array(Stream)),
  format: Type.Optional(
    Type.Object({ start_time: Type.Optional(Type.String()), duration: Type.Optional(Type.String()) }),
  ),
})

export const VideoStream = Type.Object({
  ...PictureFormat.properties,
  index: Type.Integer(),
  codec: Type.String(),
  profile: Type.String(),
  level: Type.Number(),
  /** Whether a player must turn the picture by 90 or 270 degrees. */
  sideways: Type.Boolean(),
  /** Whether a player must neither turn nor flip the picture. */
  upright: Type.Boolean(),
  interlaced: Type.Boolean(),
  /** Frames a second, on the average that the container states; 0 where it states none. */
  frameRate: Type.Number(),
  /** Length by the tables of the track, or else by the header of the file; absent where none is stated. */
  statedSeconds: Type.Optional(Type.Number()),
})

export type VideoStream = Static<typeof VideoStream>

export const AudioStream = Type.Object({
  index: Type.Integer(),
  codec: Type.String(),
  channels: Type.Integer(),
})

export type AudioStream = Static<typeof AudioStream>

export interface Probe {
  /** Second at which the clock of the file begins. */
  from: number
  /** Undefined where the container does not state it. */
  seconds: number | undefined
  /** The streams of pictures that are no cover images, the best one first. */
  pictures: VideoStream[]
  /** The tracks of sound, those that are marked as the default first. */
  sounds: AudioStream[]
}

/** Longest time of a probe, which may have to read the end of a file of many gigabytes. */
const probeMs = 120_000
/** Most CPU seconds of a probe: a recording of twelve hours needs two or three. */
const cpuSeconds = 60
/** Most bytes of ffprobe's output, enough for thousands of streams. */
const outputBytes = 4 * 1024 ** 2

/** The input cannot be read as that container within ffprobe's bounds. */
export class UnreadableError extends Error {
  override name = 'UnreadableError'
}

interface ProbeSettings {
  ffprobePath: string
  memoryBytes: number
  signal: AbortSignal
}

/** Returns ffprobe's output. Throws UnreadableError because of the input, another error because of the machine. */
async function ask(args: string[], { ffprobePath, memoryBytes, signal }: ProbeSettings, input: Input): Promise<string> {
  const { child, stdout, stderr } = startBounded(ffprobePath, args, { memoryBytes, cpuSeconds, fileBytes: 0 }, input)
  const kill = () => child.kill('SIGKILL')
  const ending = AbortSignal.any([signal, AbortSignal.timeout(probeMs)])
  ending.addEventListener('abort', kill, { once: true })
  if (ending.aborted) kill()
  const chunks: Buffer[] = []
  let bytes = 0
  stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > outputBytes) kill()
    else chunks.push(chunk)
  })
  stderr.resume()
  const [code, by] = await once(child, 'close')
  ending.removeEventListener('abort', kill)
  if (bytes > outputBytes || (code !== 0 && failedByInput(code, by))) throw new UnreadableError('ffprobe: unreadable')
  if (code !== 0) throw new Error(`ffprobe ended by ${by ?? code}`)
  return Buffer.concat(chunks).toString()
}

/** The arguments that let ffprobe read an input and nothing else. */
export const accessTo = (input: Input, container: Container): string[] => [
  ...['-protocol_whitelist', input.env ? 'http,tcp' : 'file', '-f', demuxer[container], '-i', input.path],
]

/** Describes an input by ffprobe. Throws UnreadableError. */
export async function probe(input: Input, container: Container, settings: ProbeSettings): Promise<Probe> {
  const format = ['-v', 'error', '-of', 'json', '-show_format', '-show_streams']
  const args = [...format, ...pictureLimit, '-threads', '1', ...accessTo(input, container)]
  const answer = await inSpan({ name: 'ffprobe' }, () => ask(args, settings, input))
  const { streams = [], format: file } = await parseAnswer(Output, answer)
  const sounds = streams.filter(({ codec_type }) => codec_type === 'audio')
  const isDefault = ({ disposition }: Stream) => disposition?.default === 1
  const seconds = Number(file?.duration)
  return {
    from: Number(file?.start_time) || 0,
    seconds: seconds > 0 ? seconds : undefined,
    pictures: rankPictures(streams).map((stream) => toVideo(stream, seconds)),
    sounds: [...sounds.filter(isDefault), ...sounds.filter((sound) => !isDefault(sound))].map(
      ({ index, codec_name = 'unknown', channels = 0 }) => ({ index, codec: codec_name, channels }),
    ),
  }
}

/** Parses ffprobe's output. Throws UnreadableError if it is of another shape. */
async function parseAnswer<T extends TSchema>(shape: T, answer: string): Promise<Static<T>> {
  // Loading it takes a third of a second, which would delay the start of the process.
  const { Parse } = await import('typebox/value')
  try {
    return Parse(shape, JSON.parse(answer))
  } catch {
    throw new UnreadableError('ffprobe: output of another shape')
  }
}

/** The numbers of a display matrix, of which ffprobe prints three in a row after the number of the row. */
const numbersOf = (matrix = '') => (matrix.replace(/^[\da-f]+:/gm, '').match(/-?\d+/g) ?? []).map(Number)

function toVideo(stream: Stream, fileSeconds: number): VideoStream {
  const seconds = statedSeconds(stream, fileSeconds)
  const shown = stream.side_data_list?.find((data) => data.displaymatrix !== undefined)
  const [a = 1, b = 0, , c = 0, d = 1] = numbersOf(shown?.displaymatrix)
  return {
    ...toPictureFormat(stream),
    index: stream.index,
    codec: stream.codec_name ?? 'unknown',
    profile: stream.profile ?? '',
    level: stream.level ?? 0,
    sideways: Math.round(Math.abs(shown?.rotation ?? 0)) % 180 === 90,
    upright: a > 0 && b === 0 && c === 0 && d > 0,
    interlaced: !['progressive', 'unknown', undefined].includes(stream.field_order),
    frameRate: rate(stream.avg_frame_rate),
    ...(seconds !== undefined && { statedSeconds: seconds }),
  }
}

/**
 * The number of frames of an AVI is that of its header; its duration is guessed where the file is cut. Matroska states its
 * lengths on the clock of the recording, which need not begin at 0.
 */
function statedSeconds({ nb_frames, avg_frame_rate, duration, start_time, tags }: Stream, fileSeconds: number) {
  const frames = Number(nb_frames) / rate(avg_frame_rate)
  const ofTrack = Math.max(Number.isFinite(frames) ? frames : 0, Number(duration) || 0)
  const [hours = 0, minutes = 0, seconds = 0] = tags?.DURATION?.split(':').map(Number) ?? []
  const end = hours * 3600 + minutes * 60 + seconds || fileSeconds || 0
  return ofTrack || Math.max(0, end - Math.max(0, Number(start_time) || 0)) || undefined
}

/** A fraction such as `30000/1001` as a number; 0 where it is unknown. */
function rate(fraction = '0/0'): number {
  const [above = 0, below = 0] = fraction.split('/').map(Number)
  return below > 0 ? above / below : 0
}
