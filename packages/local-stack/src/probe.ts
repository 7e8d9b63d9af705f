import { execFile } from 'node:child_process'
import { pipeline } from 'node:stream/promises'
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

/**
 * Returns what ffprobe finds in the video as a therapist gets it. ffprobe reads the bytes from us and never sees the token,
 * because every user of the machine could read that on its command line.
 */
export async function probePlayback(url: string, token: string, { ffprobe }: Programs) {
  const { body } = await fetch(url, { headers: { authorization: `Bearer ${token}` } })
  if (!body) throw new Error('the video has no bytes')
  const probing = run(ffprobe, ['-v', 'error', '-of', 'json', '-show_streams', '-show_format', 'pipe:0'])
  // ffprobe closes its input as soon as it has read enough.
  if (probing.child.stdin) await pipeline(body, probing.child.stdin).catch(() => {})
  const { stdout } = await probing
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
