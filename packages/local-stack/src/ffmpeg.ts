import { execFile } from 'node:child_process'
import { chmod } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'

const run = promisify(execFile)
const require = createRequire(import.meta.url)

export interface Programs {
  ffmpeg: string
  ffprobe: string
  /** Where they come from, for people. */
  origin: string
}

const works = (program: string) =>
  run(program, ['-version']).then(
    () => true,
    () => false,
  )

/** ffmpeg and ffprobe from PATH; else the old build inside an npm package, which is good enough to look around. */
export async function findPrograms(): Promise<Programs> {
  if ((await works('ffmpeg')) && (await works('ffprobe'))) {
    return { ffmpeg: 'ffmpeg', ffprobe: 'ffprobe', origin: 'from PATH' }
  }
  const ffmpeg: string = require('@ffmpeg-installer/ffmpeg').path
  const ffprobe: string = require('@ffprobe-installer/ffprobe').path
  // Their install scripts would do this, which pnpm does not run.
  for (const program of [ffmpeg, ffprobe]) await chmod(program, 0o755)
  return { ffmpeg, ffprobe, origin: 'from npm, a build of 2018: install ffmpeg for real work' }
}
