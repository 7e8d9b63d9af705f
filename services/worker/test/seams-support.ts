import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdtemp, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Container } from '@playtherapy/schema'
import { testStore } from '@playtherapy/testing'
import t from 'tap'
import { choosePicture } from '../src/encode/choose-picture.ts'
import { type Chunk, chunkRun, type EncodePlan, encodePlan, type Made } from '../src/encode/chunk-options.ts'
import { chooseCuts } from '../src/encode/cut.ts'
import { mp4Run } from '../src/encode/finish.ts'
import { findAudible } from '../src/ffmpeg/audible.ts'
import { runFfmpeg } from '../src/ffmpeg/ffmpeg.ts'
import { type Fragmented, readFragments } from '../src/ffmpeg/fragments.ts'
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
  const source = await openSource({ store, key, ...stored })
  t.teardown(() => source.close())
  const run = { ...settings, input: source.input, size: stored.size, container, signal: never }
  const original = await probe(source.input, container, run)
  const picture = await choosePicture(original, run)
  const sound = await findAudible(original.sounds, run)
  const cuts = await chooseCuts({ ...run, servedBytes: source.servedBytes }, picture, original.from)
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
  const files: Partial<Record<Made, MadeFile>> = {}
  for (const { made, file } of written) {
    const copy = join(place, `${made}.mp4`)
    await writeFile(copy, file.handle.createReadStream({ start: 0, autoClose: false }))
    if (made !== 'transcriber') files[made] = { ...(await readFragments(file.handle)), file: copy }
    await file.handle.close()
  }
  return files
}

/** The chunks of a picture of a plan. */
export const chunksOf = ({ cuts, seconds }: EncodePlan, kind: 'picture' | 'lower'): Chunk[] =>
  [0, ...cuts].map((from, n) => ({ kind, from, to: cuts[n] ?? seconds }))

/** Joins chunks of a rung to one file, of which the first header serves all. */
export async function joined(chunks: MadeFile[]): Promise<string> {
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
export async function likeness(one: string, other: string): Promise<number> {
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
  const asScratch = (handle: FileHandle) => ({ ...scratch, handle })
  const how = mp4Run({ upper: asScratch(picture), sound: asScratch(voice) }, scratch)
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
