import { once } from 'node:events'
import type { Container } from '@playtherapy/schema'
import { type Static, Type } from 'typebox'
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
  profile: Type.Optional(Type.String()),
  pix_fmt: Type.Optional(Type.String()),
  width: Type.Optional(Type.Integer()),
  height: Type.Optional(Type.Integer()),
  sample_aspect_ratio: Type.Optional(Type.String()),
  field_order: Type.Optional(Type.String()),
  avg_frame_rate: Type.Optional(Type.String()),
  r_frame_rate: Type.Optional(Type.String()),
  channels: Type.Optional(Type.Integer()),
  disposition: Type.Optional(Type.Object({ attached_pic: Type.Optional(Type.Integer()) })),
  tags: Type.Optional(Type.Object({ rotate: Type.Optional(Type.String()) })),
  side_data_list: Type.Optional(Type.Array(Type.Object({ rotation: Type.Optional(Type.Number()) }))),
})

const Output = Type.Object({
  streams: Type.Optional(Type.Array(Stream)),
  format: Type.Optional(Type.Object({ duration: Type.Optional(Type.String()) })),
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
  profile: string
  channels: number
}

export interface Probe {
  /** Undefined where the container does not state it. */
  seconds: number | undefined
  /** The first stream of pictures that is no cover image. */
  video: VideoStream | undefined
  audio: AudioStream | undefined
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

/** Describes an input by ffprobe. Throws UnreadableError. */
export async function probe(input: Input, container: Container, settings: ProbeSettings): Promise<Probe> {
  const access = ['-protocol_whitelist', input.env ? 'http,tcp' : 'file', '-f', demuxer[container], '-i', input.path]
  const format = ['-v', 'error', '-of', 'json', '-show_format', '-show_streams']
  const answer = await ask([...format, ...pictureLimit, '-threads', '1', ...access], settings, input)
  // Loading it takes a third of a second, which would delay the start of the process.
  const { Parse } = await import('typebox/value')
  const { streams = [], format: file } = read(() => Parse(Output, JSON.parse(answer)))
  const picture = streams.find((stream) => stream.codec_type === 'video' && stream.disposition?.attached_pic !== 1)
  const sound = streams.find((stream) => stream.codec_type === 'audio' && (stream.channels ?? 0) > 0)
  const seconds = Number(file?.duration)
  return {
    seconds: seconds > 0 ? seconds : undefined,
    video: picture && toVideo(picture),
    audio: sound && {
      index: sound.index,
      codec: sound.codec_name ?? 'unknown',
      profile: sound.profile ?? '',
      channels: sound.channels ?? 0,
    },
  }
}

function read<T>(parse: () => T): T {
  try {
    return parse()
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
