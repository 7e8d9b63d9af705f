import { appendFile, copyFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Container } from '@playtherapy/schema'
import t, { type Test } from 'tap'
import { aac, folder, h264, make } from './encode-support.ts'
import { beeping, film, markedPicture, markedSound, marks, seenAndHeard } from './sync-support.ts'

const original = await film()
const copied = ['-i', original, '-c', 'copy']

/** A copy of the film without those packets of its sound for which this expression of ffmpeg is true. */
const without = (name: string, lost: string, ...options: string[]) =>
  make(name, ...copied, '-bsf:a', `noise=drop='${lost}'`, ...options)

interface Expected {
  /** Seconds by which the sound is later than the picture. */
  late?: number
  /** Numbers of the marks that are to be heard. */
  heard?: number[]
}

/** Checks that the beeps of a recording are heard and read where they belong, beside the flashes of its picture. */
async function inStep(t: Test, file: string, container: Container, { late = 0, heard = [0, 1, 2, 3] }: Expected = {}) {
  const { flashes, ...sounds } = await seenAndHeard(t, file, container)
  t.equal(flashes.length, marks.length, `the picture flashes at ${flashes}`)
  const expected = heard.map((n) => (flashes[n] ?? 0) + late)
  for (const [where, beeps] of Object.entries(sounds)) {
    const close = beeps.every((at, n) => Math.abs(at - (expected[n] ?? 0)) < 0.09)
    t.ok(close && beeps.length === expected.length, `${where}: beeps at ${beeps}, expected at ${expected}`)
  }
}

t.test('after missing sound the rest is heard and read where it belongs', async (t) => {
  const lost = 'between(pts*tb,3,9)'
  const heard = [0, 3]
  const mp4 = await without('gap.mp4', lost)
  await inStep(t, mp4, 'mp4', { heard })
  const fragments = await without('fragments.mp4', lost, '-movflags', 'empty_moov+frag_keyframe')
  await inStep(t, fragments, 'mp4', { heard })
  await inStep(t, await make('gap.ts', '-i', mp4, '-c', 'copy'), 'mpegts', { heard })
  const webm = ['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-c:a', 'libopus']
  await inStep(t, await make('gap.webm', '-i', mp4, ...webm), 'matroska', { heard })
})

t.test('where every fifth packet of the sound is lost, the others keep their times', async (t) => {
  await inStep(t, await without('fifth.mp4', 'not(mod(n,5))'), 'mp4')
})

t.test('sound that begins late or early is late or early by as much everywhere', async (t) => {
  const shifted = ['-itsoffset', '2', '-i', original, ...copied]
  await inStep(t, await make('late.mp4', ...shifted, '-map', '1:v', '-map', '0:a'), 'mp4', { late: 2 })
  await inStep(t, await make('late.ts', ...shifted, '-map', '1:v', '-map', '0:a'), 'mpegts', { late: 2 })
  await inStep(t, await make('early.mkv', ...shifted, '-map', '0:v', '-map', '1:a'), 'matroska', { late: -2 })
})

t.test('a cut between two key frames leaves picture and sound in step', async (t) => {
  await inStep(t, await make('cut.mp4', '-ss', '0.7', ...copied), 'mp4')
})

t.test('sound whose clock runs fast or slow does not run away from the picture', async (t) => {
  for (const scale of [0.98, 1.02]) {
    const file = await make(
      `${scale}.mkv`,
      '-itsscale',
      `${scale}`,
      '-i',
      original,
      ...copied,
      '-map',
      '0:a',
      '-map',
      '1:v',
    )
    const { flashes, ...sounds } = await seenAndHeard(t, file, 'matroska')
    t.equal(flashes.length, marks.length)
    for (const [where, beeps] of Object.entries(sounds)) {
      t.ok(
        marks.every((mark, n) => Math.abs((beeps[n] ?? 0) - mark * scale) < 0.12),
        `${where}: beeps at ${beeps}, at ${scale} of their pace`,
      )
    }
  }
})

t.test('a sound that turns from one channel into two of opposite sign is heard to its end', async (t) => {
  const half = (name: string, ...options: string[]) =>
    make(name, '-i', original, '-c:v', 'copy', ...aac, ...options, '-muxdelay', '0')
  const first = await half('mono.ts', '-t', '6', '-ac', '1')
  const second = await half('opposite.ts', '-ss', '6', '-copyts', '-af', 'pan=stereo|c0=c0|c1=-1*c0')
  const file = join(folder, 'turned.ts')
  await copyFile(first, file)
  await appendFile(file, await readFile(second))
  const { rendition } = await seenAndHeard(t, file, 'mpegts')
  t.equal(rendition.length, marks.length, `beeps at ${rendition}`)
})

t.test('AAC that changes its rate or channels in the middle is heard to its end', async (t) => {
  const first = await make('first.ts', '-t', '6', ...copied)
  for (const [rate, channels] of [
    [44_100, 1],
    [48_000, 6],
  ]) {
    const changed = ['-c:v', 'copy', ...aac, '-ar', `${rate}`, '-ac', `${channels}`]
    const second = await make(`second-${channels}.ts`, '-ss', '6', '-copyts', '-i', original, ...changed)
    const file = join(folder, `changed-${channels}.ts`)
    await copyFile(first, file)
    await appendFile(file, await readFile(second))
    await inStep(t, file, 'mpegts')
  }
})

t.test('what only one channel has, or two of opposite sign, is heard in the script too', async (t) => {
  const channels = { opposite: [beeping, `-1*${beeping}`], single: [beeping, '0'] }
  for (const [name, of] of Object.entries(channels)) {
    await inStep(t, await make(`${name}.mp4`, ...markedPicture, ...markedSound(of), ...h264, ...aac), 'mp4')
  }
})
