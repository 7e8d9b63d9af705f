import { execFile } from 'node:child_process'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Container } from '@playtherapy/schema'
import t, { type Test } from 'tap'
import { findAudible } from '../src/ffmpeg/audible.ts'
import { probe } from '../src/ffmpeg/probe.ts'
import { aac, encoded, folder, h264, make, never } from './encode-support.ts'
import { film, marks, seenAndHeard } from './sync-support.ts'

const original = await film()
const twice = ['-i', original, '-i', original, '-map', '0:v', '-map', '0:a', '-map', '1:a']

/** Exchanges the codec of the first sound track of an MP4 by one that ffmpeg does not know, as an iPhone writes it. */
async function withApac(name: string, file: string): Promise<string> {
  const bytes = await readFile(file)
  bytes.write('apac', bytes.indexOf('mp4a'))
  bytes.write('dapa', bytes.indexOf('esds'))
  await writeFile(join(folder, name), bytes)
  return join(folder, name)
}

async function expect(t: Test, file: string, container: Container, heard: number[]): Promise<void> {
  const { flashes, rendition, script } = await seenAndHeard(t, file, container)
  t.equal(flashes.length, marks.length, 'the picture is there')
  for (const [where, beeps] of Object.entries({ rendition, script })) {
    t.strictSame(beeps.map(Math.round), heard, where)
  }
}

t.test('the first track that can be decoded is heard, and a recording without one is shown silently', async (t) => {
  const two = await make('two.mp4', ...twice, '-c', 'copy')
  await expect(t, await withApac('apac-first.mp4', two), 'mp4', marks)
  await expect(t, await withApac('apac-alone.mp4', original), 'mp4', [])
})

t.test('a track that is declared and empty is passed over', async (t) => {
  const first = ['-bsf:a:0', 'noise=drop=1']
  await expect(t, await make('empty-first.mkv', ...twice, '-c', 'copy', ...first), 'matroska', marks)
  await expect(t, await make('empty-alone.mkv', '-i', original, '-c', 'copy', ...first), 'matroska', [])
  await expect(t, await make('empty-alone.mp4', '-i', original, '-c', 'copy', ...first), 'mp4', [])
})

t.test('a track whose bytes are no sound is passed over', async (t) => {
  const noise = ['-bsf:a:0', 'noise=amount=1']
  await expect(t, await make('noise-first.mkv', ...twice, '-c', 'copy', ...noise), 'matroska', marks)
  await expect(t, await make('noise-alone.mkv', '-i', original, '-c', 'copy', ...noise), 'matroska', [])
})

t.test('of several tracks the one that is marked as the default is heard', async (t) => {
  const quiet = ['-f', 'lavfi', '-i', 'anullsrc=duration=15']
  const tracks = ['-i', original, ...quiet, '-map', '0:v', '-map', '1:a', '-map', '0:a', '-c:v', 'copy', '-c:a', 'aac']
  const second = ['-disposition:a:0', '0', '-disposition:a:1', 'default']
  await expect(t, await make('second.mkv', ...tracks, ...second), 'matroska', marks)
})

t.test('the default track is heard among many, also where it begins later than they', async (t) => {
  const quiet = ['-f', 'lavfi', '-i', 'anullsrc=duration=15']
  const tracks = ['-i', original, '-itsoffset', '2', '-i', original, ...quiet, '-map', '0:v', '-map', '1:a']
  const others = Array.from({ length: 5 }, () => ['-map', '2:a']).flat()
  const file = await make('many.mkv', ...tracks, ...others, '-c', 'copy', ...aac, '-disposition:a:0', 'default')
  await expect(
    t,
    file,
    'matroska',
    marks.map((at) => at + 2),
  )
})

t.test('a track whose first packets are damaged is heard after them', async (t) => {
  const damaged = await make('damaged.mkv', '-i', original, '-c', 'copy', '-bsf:a', "noise=amount='lt(n,520)'")
  const { rendition, script } = await seenAndHeard(t, damaged, 'matroska')
  t.strictSame(
    [rendition, script].map((beeps) => beeps.map(Math.round)),
    [[12], [12]],
  )
})

t.test('a track that is not found in time is passed over', async (t) => {
  const path = await make('late-second.mkv', ...twice, '-c', 'copy')
  const ffprobePath = join(folder, 'slow-ffprobe')
  await writeFile(ffprobePath, '#!/bin/sh\ncase "$*" in *"-select_streams 1"*) exec sleep 60;; esac\nexec ffprobe "$@"')
  await chmod(ffprobePath, 0o755)
  const run = { input: { path }, container: 'matroska', size: 0, maxSeconds: 60, memoryBytes: 1024 ** 3 } as const
  const { sounds } = await probe({ path }, 'matroska', { ...run, ffprobePath, signal: never })
  t.match(await findAudible(sounds, { ...run, ffprobePath, stallSeconds: 2, signal: never }), { index: 2, from: 0 })
})

t.test('sound that begins more than a minute after a large picture is heard', async (t) => {
  const noise = ['-f', 'lavfi', '-i', 'color=gray:size=320x240:rate=30:duration=1,noise=alls=60']
  const second = await make('second.mp4', ...noise, ...h264, '-bf', '0', '-b:v', '3M')
  const late = ['-stream_loop', '100', '-i', second, '-itsoffset', '85', '-i', original, '-map', '0:v', '-map', '1:a']
  const file = await make('late.ts', ...late, '-c', 'copy')
  const expected = marks.map((at) => at + 85)
  const { rendition, script } = await seenAndHeard(t, file, 'mpegts')
  t.strictSame(rendition.map(Math.round), expected)
  t.strictSame(script.map(Math.round), expected)
})

t.test('before sound that begins more than ten minutes after the picture there is silence', async (t) => {
  const beep = await make('late-beep.m4a', '-f', 'lavfi', '-i', 'sine=duration=2', ...aac)
  const still = ['-f', 'lavfi', '-i', 'color=size=64x64:rate=1:duration=620']
  const late = [...still, '-itsoffset', '612', '-i', beep, ...h264, '-c:a', 'copy']
  const { file } = await encoded(t, await make('late-beep.mp4', ...late), 'mp4')
  const run = promisify(execFile)
  const first = ['-select_streams', 'a', '-show_entries', 'packet=pts_time', '-read_intervals', '%+#1']
  const { stdout } = await run('ffprobe', ['-v', 'error', ...first, '-of', 'csv=p=0', file])
  t.ok(Number.parseFloat(stdout) < 0.05, `the sound begins at ${stdout}`)
  const { stderr } = await run('ffmpeg', ['-i', file, '-af', 'silencedetect=noise=-50dB:d=1', '-vn', '-f', 'null', '-'])
  const [, end] = /silence_end: ([\d.]+)/.exec(stderr) ?? []
  t.ok(Math.abs(Number(end) - 612) < 0.05, `it is silent until ${end}`)
})

t.test('sound after a gap of forty minutes is heard where it belongs', async (t) => {
  const beep = await make('beep.m4a', '-f', 'lavfi', '-i', 'sine=duration=2', ...aac)
  const list = join(folder, 'gap.txt')
  await writeFile(list, `file '${beep}'\nduration 2400\nfile '${beep}'\n`)
  const still = ['-f', 'lavfi', '-i', 'color=size=64x64:rate=1:duration=2402']
  const joined = ['-f', 'concat', '-safe', '0', '-i', list, ...still, '-map', '1:v', '-map', '0:a']
  const { file } = await encoded(t, await make('gap.mkv', ...joined, ...h264, '-c:a', 'copy'), 'matroska')
  const { stdout } = await promisify(execFile)('ffprobe', [
    '-v',
    'error',
    '-show_entries',
    'stream=codec_type,duration',
    '-of',
    'csv=p=0',
    file,
  ])
  const [, seconds] = /audio,([\d.]+)/.exec(stdout) ?? []
  t.ok(Math.abs(Number(seconds) - 2402) < 0.2, `the sound has ${seconds} s`)
})
