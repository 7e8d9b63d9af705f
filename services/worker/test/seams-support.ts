import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdtemp, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Container } from '@playtherapy/schema'
import { testStore } from '@playtherapy/testing'
import t, { type Test } from 'tap'
import { choosePicture } from '../src/encode/choose-picture.ts'
import { type Chunk, type ChunkOutput, chunkRun, type EncodePlan, encodePlan } from '../src/encode/chunk-options.ts'
import { chooseCuts } from '../src/encode/cut.ts'
import { mp4Run } from '../src/encode/finish.ts'
import { longestSegmentSeconds } from '../src/encode/longest-segment.ts'
import { findAudible } from '../src/ffmpeg/audible.ts'
import { runFfmpeg } from '../src/ffmpeg/ffmpeg.ts'
import { type Fragmented, readFragments, toSegments } from '../src/ffmpeg/fragments.ts'
import { probe } from '../src/ffmpeg/probe.ts'
import { openScratchFile } from '../src/ffmpeg/scratch.ts'
import { openSource } from '../src/ffmpeg/source-server.ts'
import { folder, never } from './encode-support.ts'

const run = promisify(execFile)
const settings = {
  ffmpegPath: 'ffmpeg',
  ffprobePath: 'ffprobe',
  memoryBytes: 768 * 1024 ** 2,
  stallSeconds: 30,
  maxSeconds: 43_200,
}
const store = await testStore(t, 'file')
let next = 0

/** A recording behind the source server, and what a plan finds out about it. */
export async function planned(file: string, container: Container) {
  const key = `video/LOCAL/1/1/${++next}.mp4`
  const stored = await store.put(key, createReadStream(file), { contentType: 'video/mp4' })
  const source = await openSource(store, { key, ...stored })
  t.teardown(() => source.close())
  const run = { ...settings, input: source.input(), size: stored.size, container, signal: never }
  const original = await probe(source.input(), container, run)
  const picture = await choosePicture(original, run)
  const sound = await findAudible(original.sounds, run)
  const cuts = await chooseCuts({ ...run, servedBytes: source.servedBytes }, picture, original)
  return { run, plan: encodePlan({ container, from: original.from, picture, sound, cuts }), times: picture.times }
}

export type Recording = Awaited<ReturnType<typeof planned>>
export interface MadeFile extends Fragmented {
  file: string
}

/** Makes a chunk; the files by their rungs. */
export async function makeChunk({ run }: Recording, plan: EncodePlan, chunk: Chunk) {
  const { outputs, ...how } = chunkRun(plan, chunk)
  const place = await mkdtemp(join(folder, 'chunk-'))
  const written = await Promise.all(outputs.map(async (one) => ({ ...one, file: await openScratchFile(place) })))
  const seconds = chunk.to - chunk.from
  await runFfmpeg({ ...run, ...how, outputs: written, maxBytes: 1024 ** 3, seconds, onProgress: () => {} })
  const files: Partial<Record<ChunkOutput, MadeFile>> = {}
  for (const { made, file } of written) {
    const copy = join(place, `${made}.mp4`)
    await writeFile(copy, file.handle.createReadStream({ start: 0, autoClose: false }))
    if (made !== 'transcriber' && made !== 'formats')
      files[made] = { ...(await readFragments(file.handle)), file: copy }
    await file.handle.close()
  }
  return files
}

/** The chunks of a picture of a plan. */
export const chunksOf = ({ cuts, seconds }: EncodePlan, kind: 'picture' | 'lower'): Chunk[] =>
  [0, ...cuts].map((from, n) => ({ kind, from, to: cuts[n] ?? seconds }))

/** Joins chunks of a rung to one file, of which the first header serves all. */
async function joined(chunks: MadeFile[]): Promise<string> {
  const file = join(await mkdtemp(join(folder, 'rung-')), 'rung.mp4')
  const parts = chunks.map(async ({ file, headerBytes }, n) => (await readFile(file)).subarray(n && headerBytes))
  await writeFile(file, Buffer.concat(await Promise.all(parts)))
  return file
}

/** The times of the frames of a file, in the order of their presentation; ffmpeg must not complain about it. */
export async function timesIn(file: string): Promise<number[]> {
  const args = ['-v', 'warning', '-show_entries', 'packet=pts_time', '-of', 'csv=p=0', file]
  const { stdout, stderr } = await run('ffprobe', args, { maxBuffer: 64 * 1024 ** 2 })
  t.equal(stderr, '', file)
  return stdout
    .split('\n')
    .filter(Boolean)
    .map(Number)
    .sort((one, other) => one - other)
}

/** The least likeness in dB of any two frames that are shown at the same time in two files. */
async function likeness(one: string, other: string): Promise<number> {
  const { stdout } = await run('ffmpeg', [
    '-v',
    'error',
    '-i',
    one,
    '-i',
    other,
    '-lavfi',
    'psnr=f=-',
    '-f',
    'null',
    '-',
  ])
  return Math.min(...[...stdout.matchAll(/psnr_avg:([\d.]+)/g)].map(([, db]) => Number(db)))
}

/** The MP4 of two finished rungs. */
export async function finished({ run }: Recording, upper: MadeFile, sound: MadeFile): Promise<string> {
  const place = await mkdtemp(join(folder, 'mp4-'))
  const scratch = await openScratchFile(place)
  const [picture, voice] = await Promise.all([open(upper.file), open(sound.file)])
  const seconds = upper.endSeconds - upper.firstSeconds
  const inputs = {
    upper: { path: scratch.pathFor(3), files: [picture] },
    sound: { path: scratch.pathFor(4), files: [voice] },
  }
  const how = mp4Run({ ...inputs, seconds }, scratch)
  await runFfmpeg({ ...run, ...how, maxBytes: 1024 ** 3, seconds: undefined, onProgress: () => {} })
  const file = join(place, 'finished.mp4')
  await writeFile(file, scratch.handle.createReadStream({ start: 0, autoClose: false }))
  await Promise.all([scratch, picture, voice].map((file) => file.close()))
  return file
}

/** Seconds at which the picture of a file is no longer black, and its sound no longer silent. */
export async function changesIn(file: string): Promise<{ white: number; loud: number }> {
  const look = 'blackdetect=d=1'
  const filters = ['-vf', look, '-af', 'silencedetect=n=-40dB:d=0.001']
  const { stderr } = await run('ffmpeg', [
    '-nostats',
    '-hide_banner',
    '-copyts',
    '-i',
    file,
    ...filters,
    '-f',
    'null',
    '-',
  ])
  return {
    white: Number(/black_end[:=]([\d.]+)/.exec(stderr)?.[1]),
    loud: Number(/silence_end: ([\d.]+)/.exec(stderr)?.[1]),
  }
}

/** Checks that the chunks of a recording together are what one pass makes of it, and returns its plan. */
export async function seamless(t: Test, file: string, container: Container) {
  const recording = await planned(file, container)
  const { plan } = recording
  t.ok(plan.cuts.length > 0, `cut at ${plan.cuts}`)
  const chunks = chunksOf(plan, 'picture')
  const made: MadeFile[] = []
  for (const [n, chunk] of chunks.entries()) {
    const { upper } = await makeChunk(recording, plan, chunk)
    if (!upper) throw new Error('no upper rung')
    made.push(upper)
    if (n > 0)
      t.ok(Math.abs(upper.firstSeconds - chunk.from) < 0.001, `begins at ${upper.firstSeconds}, not ${chunk.from}`)
  }
  const gaps = made.slice(1).map(({ firstSeconds }, n) => Math.abs(firstSeconds - (made[n]?.endSeconds ?? 0)))
  t.ok(Math.max(...gaps) < 0.000_05, `each chunk ends when the next one begins, but for ${Math.max(...gaps)} s`)
  t.equal(new Set(made.map(({ headerHash }) => headerHash)).size, 1, 'one header')
  const all = await joined(made)
  const { upper: whole } = await makeChunk(
    recording,
    { ...plan, cuts: [] },
    { kind: 'picture', from: 0, to: plan.seconds },
  )
  if (!whole) throw new Error('no upper rung of the whole')
  const [times, wanted] = [await timesIn(all), await timesIn(whole.file)]
  t.equal(times.length, wanted.length, 'as many frames as of one pass')
  const away = Math.max(...times.map((time, n) => Math.abs(time - (wanted[n] ?? 0))))
  t.ok(away < 0.000_05, `frames at most ${away} s from those of one pass`)
  t.equal(
    made.reduce((sum, { frames }) => sum + frames, 0),
    wanted.length,
  )
  const fragments = (files: MadeFile[]) =>
    files.flatMap((file) => file.fragments.map(([seconds]) => seconds.toFixed(3)))
  t.strictSame(fragments(made), fragments([whole]), 'the fragments of one pass, none of them cut in two')
  const least = await likeness(all, whole.file)
  t.ok(least > 20, `the least likeness of two frames is ${least} dB`)
  const longest = Math.max(...made.flatMap(({ fragments }) => toSegments(fragments).map(([seconds]) => seconds)))
  const bound = longestSegmentSeconds(plan, recording.times)
  t.ok(longest <= bound + 0.5 && longest > bound - 1, `segments of at most ${longest} s, ${bound} s were foretold`)
  return { plan, times }
}
