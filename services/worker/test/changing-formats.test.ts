import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { encoded, folder, h264, make, packetsOf } from './encode-support.ts'

const run = promisify(execFile)

/** A white picture of five frames a second, with a key frame every two seconds, which browsers play. */
const white = (name: string, size: string, seconds: number, ...options: string[]) => {
  const source = ['-f', 'lavfi', '-i', `color=white:size=${size}:rate=5:duration=${seconds}`]
  const tags = '-g 10 -color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv'.split(' ')
  return make(name, ...source, '-vf', 'scale=out_color_matrix=bt709:out_range=tv', ...h264, ...tags, ...options)
}

const list = join(folder, 'changing.txt')
/** Joins recordings to one, whose frames state their own format. */
async function joined(name: string, ...files: string[]): Promise<string> {
  await writeFile(list, files.map((file) => `file '${file}'\n`).join(''))
  return make(name, '-f', 'concat', '-safe', '0', '-i', list, '-c', 'copy')
}

/** The times of the frames of a picture, and the brightness of the frame at `second`, in the middle of its left edge. */
async function look(file: string, second: number) {
  const times = ['-v', 'error', '-select_streams', 'v', '-show_entries', 'packet=pts_time', '-of', 'csv=p=0', file]
  const { stdout } = await run('ffprobe', times)
  const edge = [
    '-ss',
    `${second}`,
    '-i',
    file,
    '-frames:v',
    '1',
    '-vf',
    'crop=2:2:0:ih/2,format=gray',
    '-f',
    'rawvideo',
  ]
  const { stdout: pixels } = await run('ffmpeg', ['-v', 'error', ...edge, '-'], { encoding: 'buffer' })
  const sorted = stdout.split('\n').filter(Boolean).map(Number.parseFloat)
  return { times: sorted.sort((one, other) => one - other), edge: pixels[0] ?? -1 }
}

/** Checks that all frames are there, and that those of another shape are not stretched but have bars beside them. */
async function check(t: Test, file: string, { frames, upright }: { frames: number; upright: number }) {
  const { times, edge } = await look(file, upright)
  t.equal(times.length, frames, 'no frame is missing')
  const pauses = times.slice(1).map((time, n) => time - (times[n] ?? 0))
  t.ok(
    pauses.every((pause) => Math.abs(pause - 0.2) < 0.01),
    `the longest pause is ${Math.max(...pauses)} s`,
  )
  t.ok(edge < 40, `the edge has brightness ${edge}`)
  t.ok((await look(file, upright - 5)).edge > 200)
}

/** Gives the frames `from` to `to` of a recording of one track the format of another file, as a second sample description. */
function withSecondFormat(recording: Buffer, other: Buffer, from: number, to: number): Buffer {
  const placeOf = (type: string, file = recording) => file.indexOf(type, file.lastIndexOf('moov')) - 4
  const boxOf = (type: string, file = recording) => {
    const place = placeOf(type, file)
    return file.subarray(place, place + file.readUInt32BE(place))
  }
  const box = (type: string, numbers: number[], ...rest: Buffer[]) => {
    const bytes = Buffer.alloc(12 + 4 * numbers.length)
    bytes.write(type, 4)
    for (const [n, number] of numbers.entries()) bytes.writeUInt32BE(number, 12 + 4 * n)
    const all = Buffer.concat([bytes, ...rest])
    all.writeUInt32BE(all.length)
    return all
  }
  const sizes = boxOf('stsz')
  const offsets = [boxOf('stco').readUInt32BE(16)]
  for (let n = 20; n < sizes.length - 4; n += 4) offsets.push((offsets.at(-1) ?? 0) + sizes.readUInt32BE(n))
  let changed = recording
  for (const [type, made] of [
    ['stco', box('stco', [offsets.length, ...offsets])],
    ['stsc', box('stsc', [3, ...[1, 1, 1], ...[from + 1, 1, 2], ...[to + 1, 1, 1]])],
    ['stsd', box('stsd', [2], boxOf('stsd').subarray(16), boxOf('stsd', other).subarray(16))],
  ] as const) {
    const [place, { length }] = [placeOf(type, changed), boxOf(type, changed)]
    changed = Buffer.concat([changed.subarray(0, place), made, changed.subarray(place + length)])
    for (const parent of ['moov', 'trak', 'mdia', 'minf', 'stbl']) {
      const at = placeOf(parent, changed)
      changed.writeUInt32BE(changed.readUInt32BE(at) + made.length - length, at)
    }
  }
  return changed
}

t.test('where a picture changes its size, no frame is lost', async (t) => {
  const parts = [await white('wide.ts', '320x180', 6), await white('upright.ts', '180x320', 4)]
  const { file, video } = await encoded(t, await joined('changed.mkv', ...parts, ...parts), 'matroska')
  t.match(video, { width: 320, height: 320 })
  t.equal((await look(file, 0)).times.length, 100)
})

t.test('a picture whose level and stated frame rate change is copied', async (t) => {
  const parts = [white('low.ts', '320x180', 4, '-level', '3.1'), white('high.ts', '320x180', 4, '-level', '4')]
  const recording = await joined('levels.mkv', ...(await Promise.all(parts)))
  const { bytes } = await encoded(t, recording, 'matroska')
  const hashes = async (file: Buffer) => (await packetsOf(file)).map((packet) => packet.split(',').at(-1))
  t.strictSame(await hashes(bytes), await hashes(await readFile(recording)))
})

t.test('a late picture that changes its size is shown from the beginning on', async (t) => {
  const parts = [await white('wide-late.ts', '320x180', 6), await white('upright-late.ts', '180x320', 4)]
  const picture = await joined('late-picture.mkv', ...parts)
  const sound = ['-f', 'lavfi', '-i', 'sine=duration=14', '-map', '0:v', '-map', '1:a', '-c:v', 'copy', '-c:a', 'aac']
  const { file } = await encoded(t, await make('late.mkv', '-itsoffset', '3', '-i', picture, ...sound), 'matroska')
  const { times } = await look(file, 0)
  t.equal(times.length, 50)
  t.strictSame(times.slice(0, 2).map(Math.round), [0, 3])
})

t.test('another size for four seconds is noticed in a recording that could be copied', async (t) => {
  const [wide, upright] = [await white('wide.mp4', '320x180', 72), await white('upright.mp4', '180x320', 4)]
  const recording = await joined('brief.mp4', wide, upright, wide)
  const stated = await encoded(t, recording, 'mp4')
  t.match(stated.video, { width: 320, height: 180 })
  await check(t, stated.file, { frames: 740, upright: 74 })

  const described = join(folder, 'described.mp4')
  await writeFile(described, withSecondFormat(await readFile(recording), await readFile(upright), 360, 380))
  const found = await encoded(t, described, 'mp4')
  t.match(found.video, { width: 320, height: 320 })
  t.equal((await look(found.file, 74)).times.length, 740)
})
