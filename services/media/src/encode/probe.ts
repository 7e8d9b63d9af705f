import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { container } from '@playtherapy/schema'
import { type Static, Type } from 'typebox'

const run = promisify(execFile)

export type Container = (typeof container.enumValues)[number]

/** ffmpeg's demuxer of each container. Forced, so that a playlist or script in disguise opens nothing else. */
export const demuxer = { mp4: 'mov', matroska: 'matroska', mpegts: 'mpegts' } as const satisfies Record<
  Container,
  string
>

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
  /** Degrees by which a player must turn the picture; 0 when it is stored upright. */
  rotation: number
  squarePixels: boolean
  interlaced: boolean
  /** Frames a second, the higher of the average and the stream's own claim. */
  frameRate: number
}

export interface AudioStream {
  index: number
  codec: string
  profile: string
  channels: number
}

export interface Probe {
  /** Undefined where the container does not say. */
  seconds: number | undefined
  /** The first real picture: a cover in a sound file is none. */
  video: VideoStream | undefined
  audio: AudioStream | undefined
}

/** Longest time for a probe, in milliseconds: it may have to read the end of a file of many gigabytes. */
const patience = 120_000

/** Asks ffprobe about a file or URL. Rejects when it cannot be read as that container. */
export async function probe(
  ffprobePath: string,
  input: string,
  container: Container,
  signal: AbortSignal,
): Promise<Probe> {
  const access = input.startsWith('http:') ? ['-protocol_whitelist', 'http,tcp'] : ['-protocol_whitelist', 'file']
  const format = ['-v', 'error', '-of', 'json', '-show_format', '-show_streams', '-f', demuxer[container]]
  const { stdout } = await run(ffprobePath, [...format, ...access, '-i', input], {
    signal,
    timeout: patience,
    killSignal: 'SIGKILL',
    maxBuffer: 4 * 1024 ** 2,
  })
  // Loading it takes a third of a second, which no start should have to.
  const { Parse } = await import('typebox/value')
  const { streams = [], format: file } = Parse(Output, JSON.parse(stdout))
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

/** `30000/1001` as a number; 0 where it is not known. */
function rate(fraction = '0/0'): number {
  const [above = 0, below = 0] = fraction.split('/').map(Number)
  return below > 0 ? above / below : 0
}
