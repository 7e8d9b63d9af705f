import { execFile } from 'node:child_process'
import { chmod } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'

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

/** Finds ffmpeg and ffprobe on the PATH, or else in npm packages, whose old build is good enough for the demo. */
export async function findPrograms(): Promise<Programs> {
  if ((await works('ffmpeg')) && (await works('ffprobe'))) {
    return { ffmpeg: 'ffmpeg', ffprobe: 'ffprobe', origin: 'from PATH' }
  }
  const ffmpeg: string = require('@ffmpeg-installer/ffmpeg').path
  const ffprobe: string = require('@ffprobe-installer/ffprobe').path
  // The install scripts of these packages would do this, but pnpm does not run them.
  for (const program of [ffmpeg, ffprobe]) await chmod(program, 0o755)
  return { ffmpeg, ffprobe, origin: 'from npm, a build of 2018: install ffmpeg for real work' }
}
