import { execFile } from 'node:child_process'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Programs } from './ffmpeg.ts'

const run = promisify(execFile)

/** The length of the demo's clip. */
export const clipSeconds = 8

/**
 * Makes a clip as a phone does: 1080p, 30 frames a second, with sound, the index at the end of the file, and frames that
 * are stored sideways with a tag to rotate them, because the phone was held upright. It is made once and then kept.
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
  // From version 6 on ffmpeg has an option for the rotation; older ones need a tag.
  await make('-display_rotation:v:0', '90', '-i', upright, '-c', 'copy', sideways).catch(() =>
    make('-i', upright, '-c', 'copy', '-metadata:s:v:0', 'rotate=90', sideways),
  )
  await rename(sideways, clip)
  await rm(upright)
  return clip
}
