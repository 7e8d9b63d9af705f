import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Time and CPU of a run of ffmpeg. */
export interface FfmpegUsage {
  seconds: number
  cpuSeconds: number
}

/** Runs ffmpeg, on this core alone if one is given. */
export async function ffmpeg(args: string[], core?: number): Promise<FfmpegUsage> {
  const command = ['ffmpeg', '-nostdin', '-hide_banner', '-nostats', '-benchmark', '-y', ...args]
  const [program = '', ...rest] = core === undefined ? command : ['taskset', '-c', `${core}`, ...command]
  const began = performance.now()
  const { stderr } = await run(program, rest, { maxBuffer: 16 * 1024 ** 2 })
  const [, user, system] = /bench: utime=([\d.]+)s stime=([\d.]+)s/.exec(stderr) ?? []
  return { seconds: (performance.now() - began) / 1000, cpuSeconds: Number(user) + Number(system) }
}

const tags = 'setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709'
const filters = `${tags},scale=1920:1080:out_color_matrix=bt709:out_range=tv,format=yuv420p,${tags},setsar=1`

const h264 = (crf: number, kbits: number) => [
  ...`-c:v libx264 -preset veryfast -crf ${crf} -maxrate ${kbits}k -bufsize ${kbits * 2}k -pix_fmt yuv420p -bf 0`.split(
    ' ',
  ),
  ...'-vsync vfr -enc_time_base 1:90000 -x264-params fps=30:scenecut=0 -forced-idr 1'.split(' '),
  ...['-force_key_frames', 'expr:if(isnan(prev_forced_t),1,gte(t,prev_forced_t+2))'],
]

const mp4 = '-map_metadata -1 -map_chapters -1 -max_muxing_queue_size 4096 -movflags +faststart -f mp4'.split(' ')
const sound = [
  ...['-map', '0:a', '-af', 'aformat=sample_fmts=s16p:channel_layouts=stereo,aresample=async=100'],
  ...'-c:a aac -b:a 128k -ac 2 -ar 48000'.split(' '),
]
/** For a transcriber. */
const speech = '-map 0:a -c:a aac -b:a 32k -ac 1 -ar 16000 -f ipod'.split(' ')

/**
 * The arguments by which our worker encodes a recording in 1080p: both rungs from one decode, the sound, and the sound for a
 * transcriber. See services/worker/src/encode.
 */
const encoding = (upper: string, lower: string, audio: string) => [
  ...['-filter_complex', `[0:v]${filters},split[upper][other];[other]scale=854:480[lower]`],
  ...['-map', '[upper]', ...h264(23, 6_000), ...sound, ...mp4, upper],
  ...['-map', '[lower]', ...h264(24, 700), ...mp4, lower],
  ...[...speech, audio],
]

/** The same where the picture is playable: it is copied. There is no lower rung, because the MP4 does not wait for it. */
const copying = (upper: string, audio: string) => [
  ...['-map', '0:v', '-c:v', 'copy', ...sound, ...mp4, upper],
  ...[...speech, audio],
]

/** Lets bare ffmpeg make in one pass, from and to local files, what our worker makes of a recording. */
export async function bareFfmpeg(
  directory: string,
  recording: string,
  how: 'encoding' | 'copying',
  core?: number,
): Promise<FfmpegUsage> {
  const [upper = '', lower = '', audio = ''] = ['upper.mp4', 'lower.mp4', 'audio.m4a'].map((n) => join(directory, n))
  const outputs = how === 'encoding' ? encoding(upper, lower, audio) : copying(upper, audio)
  const usage = await ffmpeg(['-i', recording, ...outputs], core)
  await Promise.all([upper, lower, audio].map((file) => rm(file, { force: true })))
  return usage
}

/** The sound of a room in which somebody talks. */
const room = (seconds: number) =>
  `anoisesrc=color=pink:amplitude=0.1:duration=${seconds},tremolo=f=3:d=0.9,aformat=channel_layouts=stereo`

/** Makes a recording in 1080p that browsers do not play, like one of a phone: HEVC of 8 Mbit/s, a key frame a second. */
export async function phoneRecording(directory: string, seconds: number): Promise<string> {
  const [short, recording] = [join(directory, 'phone-short.mp4'), join(directory, `phone-${seconds}.mp4`)]
  const picture = 'testsrc2=size=1920x1080:rate=30:duration=10,noise=alls=6:allf=t,format=yuv420p'
  const hevc = 'keyint=30:min-keyint=30:scenecut=0:bframes=0:open-gop=0:log-level=none'
  await ffmpeg([
    ...['-f', 'lavfi', '-i', picture, '-f', 'lavfi', '-i', room(10), '-c:a', 'aac', '-b:a', '128k'],
    ...['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', hevc, '-b:v', '8M', '-tag:v', 'hvc1', short],
  ])
  await ffmpeg(['-stream_loop', '-1', '-i', short, '-t', `${seconds}`, '-c', 'copy', recording])
  return recording
}

/** Makes a recording in 1080p that browsers play as it is. */
export async function playableRecording(directory: string, seconds: number): Promise<string> {
  const recording = join(directory, `playable-${seconds}.mp4`)
  const picture = `testsrc2=size=1920x1080:rate=24:duration=${seconds}`
  await ffmpeg([
    ...['-f', 'lavfi', '-i', picture, '-f', 'lavfi', '-i', room(seconds)],
    ...['-vf', filters, ...h264(23, 6_000), '-c:a', 'aac', '-b:a', '128k', recording],
  ])
  return recording
}
