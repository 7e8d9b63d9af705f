import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Programs } from './ffmpeg.ts'

const run = promisify(execFile)

const Probe = Type.Object({
  streams: Type.Array(
    Type.Object({
      codec_type: Type.String(),
      codec_name: Type.String(),
      width: Type.Optional(Type.Integer()),
      height: Type.Optional(Type.Integer()),
      side_data_list: Type.Optional(Type.Array(Type.Object({ rotation: Type.Optional(Type.Number()) }))),
    }),
  ),
  format: Type.Object({ duration: Type.String() }),
})

/** What ffprobe says of the video a therapist would see, read from the service as a player reads it. */
export async function probePlayback(url: string, token: string, { ffprobe }: Programs) {
  const header = ['-headers', `Authorization: Bearer ${token}\r\n`]
  const format = ['-v', 'error', '-of', 'json', '-show_streams', '-show_format']
  const { stdout } = await run(ffprobe, [...header, ...format, url])
  const { streams, format: file } = Value.Parse(Probe, JSON.parse(stdout))
  const video = streams.find((stream) => stream.codec_type === 'video')
  const audio = streams.find((stream) => stream.codec_type === 'audio')
  const turned = video?.side_data_list?.some(({ rotation = 0 }) => rotation !== 0) ?? false
  return {
    video: video?.codec_name,
    audio: audio?.codec_name,
    width: video?.width ?? 0,
    height: video?.height ?? 0,
    seconds: Number(file.duration),
    upright: !turned && (video?.height ?? 0) > (video?.width ?? 0),
  }
}
