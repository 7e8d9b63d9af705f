import { execFile } from 'node:child_process'
import { chmod } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { ConfigError } from '@playtherapy/service-kit'
import type { Settings } from './settings.ts'

const run = promisify(execFile)
const require = createRequire(import.meta.url)

export interface Programs {
  ffmpeg: string
  ffprobe: string
  /** Where they come from, to be printed. */
  origin: string
}

const works = (program: string) =>
  run(program, ['-version']).then(
    () => true,
    () => false,
  )

/**
 * Finds ffmpeg and ffprobe as they are set, usually on the PATH, or else in npm packages, whose old build is good enough for
 * the demo. Throws ConfigError when one that is set to a place of its own does not run.
 */
export async function findPrograms({ FFMPEG_PATH, FFPROBE_PATH }: Settings): Promise<Programs> {
  const isUsual = FFMPEG_PATH === 'ffmpeg' && FFPROBE_PATH === 'ffprobe'
  if ((await works(FFMPEG_PATH)) && (await works(FFPROBE_PATH))) {
    return { ffmpeg: FFMPEG_PATH, ffprobe: FFPROBE_PATH, origin: isUsual ? 'from PATH' : 'from FFMPEG_PATH' }
  }
  if (!isUsual) throw new ConfigError('FFMPEG_PATH and FFPROBE_PATH do not both name a program that runs.')
  const ffmpeg: string = require('@ffmpeg-installer/ffmpeg').path
  const ffprobe: string = require('@ffprobe-installer/ffprobe').path
  // The install scripts of these packages would do this, but pnpm does not run them.
  for (const program of [ffmpeg, ffprobe]) await chmod(program, 0o755)
  return { ffmpeg, ffprobe, origin: 'from npm, a build of 2018: install ffmpeg for real work' }
}
