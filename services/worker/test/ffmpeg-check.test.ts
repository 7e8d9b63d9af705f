import { chmod, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { checkPrograms } from '../src/ffmpeg/check.ts'

const memoryBytes = 256 * 1024 ** 2

/** A program that is a shell script. It makes a folder for each start, because it may write to no file. */
async function script(folder: string, text: string) {
  const path = join(folder, 'script')
  await writeFile(path, `#!/bin/sh\nmkdir ${path}-$$\n${text}\n`)
  await chmod(path, 0o755)
  return path
}

t.test('a worker with a working ffmpeg and ffprobe is ready', async (t) => {
  await t.resolves(checkPrograms({ ffmpegPath: 'ffmpeg', ffprobePath: 'ffprobe', memoryBytes })())
})

t.test('a worker whose ffmpeg or ffprobe does not work is not ready, and says which', async (t) => {
  const folder = t.testdir({ closed: 'no program' })
  const broken = [
    ['/nowhere/ffmpeg', 'is not installed at its path'],
    [join(folder, 'closed'), 'cannot be started'],
    [await script(folder, 'exit 1'), 'does not work'],
    ['/bin/true', '(does not encode|does not describe)'],
    ['/bin/echo', '(does not encode|does not describe)'],
  ]
  for (const [path = '', reason] of broken) {
    const ffmpeg = checkPrograms({ ffmpegPath: path, ffprobePath: 'ffprobe', memoryBytes })
    await t.rejects(ffmpeg(), { message: new RegExp(`^ffmpeg ${reason}$`) })
    const ffprobe = checkPrograms({ ffmpegPath: 'ffmpeg', ffprobePath: path, memoryBytes })
    await t.rejects(ffprobe(), { message: new RegExp(`^ffprobe ${reason}$`) })
  }
})

t.test('a worker whose ffmpeg lacks the filters of HDR is not ready', async (t) => {
  const path = await script(t.testdir(), 'case "$*" in *zscale*) exit 1 ;; esac\nexec ffmpeg "$@"')
  await t.rejects(checkPrograms({ ffmpegPath: path, ffprobePath: 'ffprobe', memoryBytes })())
})

t.test('many probes start the programs once', async (t) => {
  const folder = t.testdir()
  const path = await script(folder, 'exec ffmpeg "$@"')
  const check = checkPrograms({ ffmpegPath: path, ffprobePath: 'ffprobe', memoryBytes })
  await Promise.all([check(), check(), check()])
  for (let probe = 0; probe < 20; probe++) await check()
  t.equal((await readdir(folder)).length, 2, 'the script, and one start of it')
})
