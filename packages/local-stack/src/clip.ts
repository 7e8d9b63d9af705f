import { execFile } from 'node:child_process'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Programs } from './ffmpeg.ts'

const run = promisify(execFile)

/** Seconds of the demo's clip. */
export const clipSeconds = 8

/**
 * A clip as a phone makes it: 1080p, 30 frames a second, with sound, its index at the end of the file, and held upright
 * while the sensor lies: the frames are stored sideways with a note to rotate them. Made once, then kept.
 */
export async function makeClip(directory: string, { ffmpeg }: Programs): Promise<string> {
  const clip = join(directory, 'demo-clip.mp4')
  if (await stat(clip).catch(() => undefined)) return clip
  await mkdir(directory, { recursive: true })
  const upright = join(directory, 'unfinished-upright.mp4')
  const sideways = join(directory, 'unfinished-sideways.mp4')
  const picture = ['-f', 'lavfi', '-i', `testsrc2=size=1920x1080:rate=30:duration=${clipSeconds}`]
  const sound = ['-f', 'lavfi', '-i', `sine=frequency=330:sample_rate=48000:duration=${clipSeconds}`]
  const codecs = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-shortest']
  const make = (...args: string[]) => run(ffmpeg, ['-y', '-loglevel', 'error', ...args])
  await make(...picture, ...sound, ...codecs, upright)
  // ffmpeg 6 took the option that notes a rotation; earlier ones take a tag.
  await make('-display_rotation:v:0', '90', '-i', upright, '-c', 'copy', sideways).catch(() =>
    make('-i', upright, '-c', 'copy', '-metadata:s:v:0', 'rotate=90', sideways),
  )
  await rename(sideways, clip)
  await rm(upright)
  return clip
}
