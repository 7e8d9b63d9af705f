import { once } from 'node:events'
import type { Container } from '@playtherapy/schema'
import { type Static, type TSchema, Type } from 'typebox'
import { failedByInput, type Input, startBounded } from './bounded.ts'
import { pictureLimit } from './limits.ts'

/** ffmpeg's demuxer for each container. It is forced, so that a disguised playlist opens no other file. */
export const demuxer = {
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
  pix_fmt: Type.Optional(Type.String()),
  width: Type.Optional(Type.Integer()),
  height: Type.Optional(Type.Integer()),
  sample_aspect_ratio: Type.Optional(Type.String()),
  field_order: Type.Optional(Type.String()),
  avg_frame_rate: Type.Optional(Type.String()),
  r_frame_rate: Type.Optional(Type.String()),
  channels: Type.Optional(Type.Integer()),
  disposition: Type.Optional(
    Type.Object({ attached_pic: Type.Optional(Type.Integer()), default: Type.Optional(Type.Integer()) }),
  ),
  tags: Type.Optional(Type.Object({ rotate: Type.Optional(Type.String()) })),
  side_data_list: Type.Optional(Type.Array(Type.Object({ rotation: Type.Optional(Type.Number()) }))),
})

const Output = Type.Object({
  streams: Type.Optional(Type.Array(Stream)),
  format: Type.Optional(
    Type.Object({ start_time: Type.Optional(Type.String()), duration: Type.Optional(Type.String()) }),
  ),
})

export interface VideoStream {
  index: number
  codec: string
  pixelFormat: string
  width: number
  height: number
  /** Degrees by which a player must turn the picture; 0 for an upright one. */
  rotation: number
  squarePixels: boolean
  interlaced: boolean
  /** Frames a second: the average or the stated rate, whichever is higher. */
  frameRate: number
}

export interface AudioStream {
  index: number
  codec: string
  channels: number
}

export interface Probe {
  /** Second at which the clock of the file begins. */
  from: number
  /** Undefined where the container does not state it. */
  seconds: number | undefined
  /** The first stream of pictures that is no cover image. */
  video: VideoStream | undefined
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

export interface ProbeSettings {
  ffprobePath: string
  memoryBytes: number
  signal: AbortSignal
}

/** Returns ffprobe's output. Throws UnreadableError because of the input, another error because of the machine. */
export async function ask(
  args: string[],
  { ffprobePath, memoryBytes, signal }: ProbeSettings,
  input: Input,
): Promise<string> {
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
  const answer = await ask(
    [...format, ...pictureLimit, '-threads', '1', ...accessTo(input, container)],
    settings,
    input,
  )
  const { streams = [], format: file } = await parseAnswer(Output, answer)
  const picture = streams.find((stream) => stream.codec_type === 'video' && stream.disposition?.attached_pic !== 1)
  const sounds = streams.filter(({ codec_type }) => codec_type === 'audio')
  const isDefault = ({ disposition }: Static<typeof Stream>) => disposition?.default === 1
  const seconds = Number(file?.duration)
  return {
    from: Number(file?.start_time) || 0,
    seconds: seconds > 0 ? seconds : undefined,
    video: picture && toVideo(picture),
    sounds: [...sounds.filter(isDefault), ...sounds.filter((sound) => !isDefault(sound))].map(
      ({ index, codec_name = 'unknown', channels = 0 }) => ({ index, codec: codec_name, channels }),
    ),
  }
}

/** Parses ffprobe's output. Throws UnreadableError if it is of another shape. */
export async function parseAnswer<T extends TSchema>(shape: T, answer: string): Promise<Static<T>> {
  // Loading it takes a third of a second, which would delay the start of the process.
  const { Parse } = await import('typebox/value')
  try {
    return Parse(shape, JSON.parse(answer))
  } catch {
    throw new UnreadableError('ffprobe: output of another shape')
  }
}

function toVideo(stream: Static<typeof Stream>): VideoStream {
  const matrix = stream.side_data_list?.find((data) => data.rotation !== undefined)?.rotation
  const aspect = stream.sample_aspect_ratio
  return {
    index: stream.index,
    codec: stream.codec_name ?? 'unknown',
    pixelFormat: stream.pix_fmt ?? 'unknown',
    width: stream.width ?? 0,
    height: stream.height ?? 0,
    rotation: (((matrix ?? -Number(stream.tags?.rotate ?? 0)) % 360) + 360) % 360,
    squarePixels: !aspect || aspect === '1:1' || aspect === '0:1',
    interlaced: !['progressive', 'unknown', undefined].includes(stream.field_order),
    frameRate: Math.max(rate(stream.avg_frame_rate), rate(stream.r_frame_rate)),
  }
}

/** A fraction such as `30000/1001` as a number; 0 where it is unknown. */
function rate(fraction = '0/0'): number {
  const [above = 0, below = 0] = fraction.split('/').map(Number)
  return below > 0 ? above / below : 0
}
