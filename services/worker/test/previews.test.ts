import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { createFileStore } from '@playtherapy/object-store'
import { chunks, previews } from '@playtherapy/schema'
import t, { type Test } from 'tap'
import { makePreviews, type PreviewRun } from '../src/encode/previews.ts'
import { openScratchFile } from '../src/ffmpeg/scratch.ts'
import { openSource } from '../src/ffmpeg/source-server.ts'
import { never, prepare } from './encode-support.ts'

const run = promisify(execFile)
const folder = await mkdtemp(join(tmpdir(), 'playtherapy-previews-'))
t.teardown(() => rm(folder, { recursive: true, force: true }))

const fragmented = '+frag_keyframe+empty_moov+default_base_moof'
const closed = (frames: number) => ['-g', `${frames}`, '-keyint_min', `${frames}`, '-sc_threshold', '0']

/** A rung of these filter sources, one after the other, with a key frame each 60 frames. */
async function rung(name: string, sources: string[], { options = closed(60), flags = fragmented, times = 'PTS' } = {}) {
  const file = join(folder, name)
  const inputs = sources.flatMap((source) => ['-f', 'lavfi', '-i', source])
  const bt709 = 'scale=out_color_matrix=bt709:out_range=tv,format=yuv420p,setparams=range=tv:colorspace=bt709'
  const joined = `concat=n=${sources.length},format=rgb24,${bt709},setpts='${times}'`
  const encoder = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', ...options]
  await run('ffmpeg', [
    ...['-y', '-loglevel', 'error', ...inputs, '-filter_complex', joined],
    ...[...encoder, '-vsync', 'vfr', '-movflags', flags, file],
  ])
  return file
}

interface Image {
  width: number
  height: number
  /** Red, green and blue of a pixel. */
  at(x: number, y: number): number[]
}

/** The pixels of a JPEG, which must be one complete image. */
async function decoded(bytes: Buffer): Promise<Image> {
  const file = join(await mkdtemp(join(folder, 'image-')), 'image.jpg')
  await writeFile(file, bytes)
  const { stdout: size } = await run('ffprobe', [
    ...['-v', 'error', '-f', 'image2', '-count_frames', '-show_entries', 'stream=width,height,nb_read_frames'],
    ...['-of', 'csv=p=0', file],
  ])
  const [width = 0, height = 0, frames] = size.trim().split(',').map(Number)
  if (frames !== 1) throw new Error(`${frames} images`)
  const raw = join(folder, 'raw')
  await run('ffmpeg', ['-y', '-loglevel', 'error', '-i', file, '-pix_fmt', 'rgb24', '-f', 'rawvideo', raw])
  const pixels = await buffer(createReadStream(raw))
  return { width, height, at: (x, y) => [...pixels.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)] }
}

/** The previews of a rung, read from a store as a job does. */
async function preview(
  t: Test,
  file: string,
  pictures: Pick<PreviewRun, 'seconds' | 'width' | 'height' | 'keySeconds'>,
) {
  const store = createFileStore({ directory: t.testdir() })
  const { size, etag } = await store.put('rung', createReadStream(file), { contentType: 'video/mp4' })
  const source = await openSource(store, { key: 'rung', size, etag })
  const scratchDirectory = await mkdtemp(join(folder, 'scratch-'))
  const [poster, storyboard] = [await openScratchFile(scratchDirectory), await openScratchFile(scratchDirectory)]
  const { signal } = new AbortController()
  const settings = { scratchDirectory, ffmpegPath: 'ffmpeg', stallSeconds: 20, memoryBytes: 256 * 1024 ** 2 }
  const files = { poster, storyboard }
  try {
    const board = await makePreviews({ ...settings, ...pictures, input: source.input(), size, signal }, files)
    t.equal(source.readError(), undefined)
    const sprite = await decoded(await storyboard.handle.readFile())
    t.strictSame([sprite.width, sprite.height], [board.columns * board.width, board.rows * board.height])
    const tile = (index: number) => {
      const [row, column] = [Math.floor(index / board.columns), index % board.columns]
      return sprite.at((column + 0.5) * board.width, (row + 0.5) * board.height)
    }
    return { board, tile, poster: await decoded(await poster.handle.readFile()) }
  } finally {
    await Promise.all([source.close(), poster.close(), storyboard.close()])
    t.strictSame(await readdir(scratchDirectory), [])
  }
}

const colour = { red: [255, 0, 0], lime: [0, 255, 0], blue: [0, 0, 255], black: [0, 0, 0] } as const
const isNear = (t: Test, pixel: number[], name: keyof typeof colour, message: string) =>
  t.ok(
    pixel.every((value, index) => Math.abs(value - (colour[name][index] ?? 0)) < 12),
    `${message}: ${pixel} is ${name}`,
  )
const plain = (name: string, seconds: number, size = '320x180') =>
  `color=${name}:size=${size}:rate=30:duration=${seconds}`
const seen = (seconds: number, size = '320x180') => `testsrc2=size=${size}:rate=30:duration=${seconds}`

t.test('a tile shows what is on the screen in its time, in its colours', async (t) => {
  const file = await rung('colours.mp4', [plain('red', 10), plain('lime', 10), plain('blue', 5)])
  const { board, tile } = await preview(t, file, { seconds: 25, width: 320, height: 180 })
  t.strictSame(board, { columns: 10, rows: 2, width: 160, height: 90, seconds: 2, tiles: 13 })
  for (const [name, from, to] of [
    ['red', 0, 5],
    ['lime', 5, 10],
    ['blue', 10, 13],
  ] as const) {
    for (let index = from; index < to; index++) isNear(t, tile(index), name, `${index}`)
  }
})

t.test('a long recording has a hundred tiles', async (t) => {
  const long = (name: string, seconds: number) => `color=${name}:size=64x36:rate=1:duration=${seconds}`
  const file = await rung('long.mp4', [long('red', 3_000), long('blue', 4_200)], { options: closed(2) })
  const { board, tile } = await preview(t, file, { seconds: 7_200.04, width: 64, height: 36 })
  t.strictSame(board, { columns: 10, rows: 10, width: 64, height: 36, seconds: 72.002, tiles: 100 })
  for (let index = 0; index < 100; index++) {
    if (index !== 41) isNear(t, tile(index), index < 41 ? 'red' : 'blue', `${index}`)
  }
})

t.test('pauses of minutes, a late beginning, and sound that goes on after the picture', async (t) => {
  // Red from 5 s, nothing new until 125 s, then blue.
  const file = await rung('gap.mp4', [plain('red', 4), plain('blue', 4)], {
    options: [...closed(60), '-output_ts_offset', '5'],
    flags: '+frag_keyframe+delay_moov+default_base_moof',
    times: '(T+if(gte(T,4),116,0))/TB',
  })
  const { board, tile } = await preview(t, file, { seconds: 200, width: 320, height: 180 })
  t.equal(board.tiles, 100)
  for (let index = 0; index < 100; index++) isNear(t, tile(index), index < 62 ? 'red' : 'blue', `${index}`)
})

t.test('a rung with one key frame', async (t) => {
  const file = await rung('one-key.mp4', [plain('red', 6), plain('lime', 6)], {
    options: closed(9_999),
    flags: '+faststart',
  })
  const { board, tile } = await preview(t, file, { seconds: 12, width: 320, height: 180, keySeconds: 12 })
  t.equal(board.tiles, 6)
  for (let index = 0; index < 6; index++) isNear(t, tile(index), index < 3 ? 'red' : 'lime', `${index}`)
})

t.test('the poster is the first picture that shows something', async (t) => {
  const noise = 'noise=alls=12:allf=t'
  const cap = `${plain('0x101010', 7)},${noise}`
  const isPicture = (image: Image) => image.at(image.width * 0.3, image.height * 0.8).some((value) => value > 100)
  for (const [name, sources, size] of [
    ['at-once', [seen(4, '1280x720')], [1280, 720]],
    ['black-first', [plain('black', 7), seen(4)], [320, 180]],
    ['lens-cap', [cap, seen(4)], [320, 180]],
    ['white-first', [plain('white', 5), seen(4)], [320, 180]],
    ['one-colour-first', [plain('0x805030', 5), seen(4)], [320, 180]],
    [
      'date-on-black-first',
      [`${plain('black', 5)},drawbox=x=240:y=160:w=60:h=10:color=white:t=fill`, seen(4)],
      [320, 180],
    ],
    ['black-but-for-the-end', [plain('black', 119), seen(5)], [320, 180]],
    ['portrait', [plain('black', 3, '360x640'), seen(4, '360x640')], [360, 640]],
  ] as const) {
    const file = await rung(`${name}.mp4`, [...sources])
    const [width, height] = size
    const { poster } = await preview(t, file, { seconds: name.endsWith('end') ? 124 : 11, width, height })
    const factor = Math.min(1, 640 / Math.max(width, height))
    t.strictSame([poster.width, poster.height], [width * factor, height * factor], name)
    t.ok(isPicture(poster), name)
  }
})

t.test('a recording that fades in is not shown in the middle of it, and one of black has a poster', async (t) => {
  const fading = await rung('fade.mp4', [`${seen(12)},fade=in:st=1:d=6`])
  const { poster } = await preview(t, fading, { seconds: 12, width: 320, height: 180 })
  t.ok(poster.at(96, 150).some((value) => value > 60))
  const dark = await rung('dark.mp4', [plain('black', 4)])
  const made = await preview(t, dark, { seconds: 4, width: 320, height: 180 })
  isNear(t, made.poster.at(160, 90), 'black', 'poster')
  t.equal(made.board.tiles, 2)
})

t.test('sizes and lengths at their ends', async (t) => {
  for (const [size, width, height, tile] of [
    ['2x2', 2, 2, [2, 2]],
    ['1920x2', 1920, 2, [160, 2]],
    ['1080x1920', 1080, 1920, [90, 160]],
    ['854x480', 854, 480, [160, 90]],
  ] as const) {
    const file = await rung(`${size}.mp4`, [seen(0.1, size)])
    const { board, poster } = await preview(t, file, { seconds: 0.1, width, height })
    t.match(board, { width: tile[0], height: tile[1], tiles: 1, columns: 1, rows: 1, seconds: 2 }, size)
    t.ok(Math.max(poster.width, poster.height) <= 640, size)
  }
})

t.test('what is no picture fails', async (t) => {
  const file = join(folder, 'sound.mp4')
  await run('ffmpeg', ['-y', '-loglevel', 'error', '-f', 'lavfi', '-i', 'sine=duration=1', file])
  await t.rejects(preview(t, file, { seconds: 1, width: 320, height: 180 }), { name: 'FfmpegError' })
})

for (const [size, kinds] of [
  ['320x180', ['copy']],
  ['1280x720', ['copy', 'lower']],
] as const) {
  t.test(`a copy of ${size} has tiles of its frames between far key frames, too`, async (t) => {
    const options = [...closed(9_999), '-bf', '0', '-profile:v', 'high']
    const sources = [plain('red', 6, size), plain('lime', 6, size)]
    const file = await rung('copied.mp4', sources, { options, flags: '+faststart' })
    const job = await prepare(t, file, 'mp4')
    const { video_id } = await job.upload()
    await job.encode({ video_id }, { signal: never })
    const planned = await job.db.select({ kind: chunks.kind }).from(chunks).orderBy(chunks.id)
    t.strictSame(
      planned.map(({ kind }) => kind),
      kinds,
    )
    const [row] = await job.db.select().from(previews)
    t.match(row?.storyboard, { tiles: 6, columns: 6, width: 160, height: 90, seconds: 2 })
    const sprite = await decoded(await buffer(await job.store.get(`video/${row?.storyboardPath}`)))
    for (let index = 0; index < 6; index++) {
      isNear(t, sprite.at(160 * index + 80, 45), index < 3 ? 'red' : 'lime', `${index}`)
    }
  })
}

t.test('a recording of which no picture can be made plays without', async (t) => {
  const ffmpegPath = join(folder, 'ffmpeg-without-jpeg')
  await writeFile(ffmpegPath, '#!/bin/sh\ncase "$*" in *mjpeg*) exit 1;; esac\nexec ffmpeg "$@"\n', { mode: 0o755 })
  const file = await rung('plain.mp4', [seen(2)])
  const job = await prepare(t, file, 'mp4', { ffmpegPath })
  const { video_id } = await job.upload()
  await job.encode({ video_id }, { signal: never })
  t.match(await job.state(), { encoding: 3, videos: [{ state: 'encoded' }] })
  t.equal(await job.db.$count(previews), 0)
  t.ok((await job.keys()).every((key) => !/poster|storyboard/.test(key)))
})
