import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Container } from '@playtherapy/schema'
import t, { type Test } from 'tap'
import { encoded, folder, h264, make, picture } from './encode-support.ts'

const run = promisify(execFile)

/** Colours of the left and of the right half of a picture, of which the lower half is black. */
const [left, right] = [
  [200, 40, 60],
  [60, 180, 90],
]
const black = [0, 0, 0]
const rgb = (colour: number[] = []) => `0x${Buffer.from(colour).toString('hex')}`
const halves = (size: string, seconds = 1, rate = 10) => [
  '-f',
  'lavfi',
  '-i',
  `color=${rgb(left)}:size=${size}:rate=${rate}:duration=${seconds},format=gbrp,` +
    `drawbox=x=iw/2:w=iw/2:h=ih:color=${rgb(right)}:t=fill,drawbox=y=ih/2:w=iw:h=ih/2:color=black:t=fill`,
]

/** The colour of the frame at `second`, at a place in parts of its width and height, read as its tags say. */
async function colourAt(file: string, x: number, y: number, second = 0): Promise<number[]> {
  const point = `crop=2:2:iw*${x}:ih*${y}`
  const frame = ['-ss', String(second), '-i', file, '-frames:v', '1', '-vf', `${point},scale=2:2,format=rgb24`]
  const { stdout } = await run('ffmpeg', ['-v', 'error', ...frame, '-f', 'rawvideo', '-'], { encoding: 'buffer' })
  return [...stdout.subarray(0, 3)]
}

/** The fields of each frame, by ffprobe's names. */
async function frames(file: string): Promise<Record<string, string>[]> {
  const entries = 'frame=width,height,color_range,color_space,color_primaries,color_transfer,pts_time'
  const args = ['-v', 'error', '-select_streams', 'v', '-show_entries', entries, '-of', 'compact=p=0', file]
  const { stdout } = await run('ffprobe', args, { maxBuffer: 64 * 1024 ** 2 })
  const lines = stdout.split('\n').filter((line) => line.includes('pts_time'))
  return lines.map((line) => Object.fromEntries(line.split('|').map((field) => field.split('=', 2))))
}

const bt709 = { color_range: 'tv', color_space: 'bt709', color_primaries: 'bt709', color_transfer: 'bt709' }

function near(t: Test, seen: number[], wanted: number[], what: string, by = 6) {
  t.ok(
    wanted.every((value, channel) => Math.abs(value - (seen[channel] ?? 999)) <= by),
    `${what}: ${seen} for ${wanted}`,
  )
}

async function colours(t: Test, file: string, container: Container, by?: number) {
  const result = await encoded(t, file, container)
  const [frame] = await frames(result.file)
  t.match(frame, bt709, file)
  near(t, await colourAt(result.file, 0.25, 0.25), left ?? [], `left in ${file}`, by)
  near(t, await colourAt(result.file, 0.75, 0.25), right ?? [], `right in ${file}`, by)
  near(t, await colourAt(result.file, 0.5, 0.75), black, `below in ${file}`, by)
  return result
}

const tags = (matrix: string, range: string) => [
  ...['-color_primaries', matrix, '-color_trc', matrix, '-colorspace', matrix, '-color_range', range],
]
const as = (matrix: string, range: string, format: string) => [
  ...['-vf', `scale=out_color_matrix=${matrix}:out_range=${range},format=${format}`],
]

t.test('colours stay, however they are stored', async (t) => {
  const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '8']
  const files: [string, string[]][] = [
    ['rgb.mp4', [...halves('320x240'), '-c:v', 'libx264rgb', '-crf', '5']],
    ['rgb-hd.mkv', [...halves('1280x720'), '-c:v', 'libx264rgb', '-preset', 'ultrafast', '-crf', '5']],
    ['sd.mp4', [...halves('320x240'), ...as('bt601', 'tv', 'yuv420p'), ...x264]],
    ['sd-tagged.mp4', [...halves('320x240'), ...as('bt601', 'tv', 'yuv420p'), ...x264, ...tags('smpte170m', 'tv')]],
    ['hd.mp4', [...halves('1280x720'), ...as('bt709', 'tv', 'yuv420p'), ...x264]],
    ['hd-601.mp4', [...halves('1280x720'), ...as('bt601', 'tv', 'yuv420p'), ...x264, ...tags('smpte170m', 'tv')]],
    ['full.mp4', [...halves('320x240'), ...as('bt709', 'pc', 'yuv420p'), ...x264, ...tags('bt709', 'pc')]],
    ['full-422.mov', [...halves('320x240'), ...as('bt601', 'pc', 'yuvj422p'), '-c:v', 'mjpeg', '-q:v', '2']],
    ['deep.mp4', [...halves('320x240'), ...as('bt709', 'tv', 'yuv444p10le'), ...x264, ...tags('bt709', 'tv')]],
    ['png.mkv', [...halves('320x240'), '-c:v', 'png']],
  ]
  for (const [name, args] of files) {
    await colours(t, await make(name, ...args), name.endsWith('mkv') ? 'matroska' : 'mp4')
  }
  const avi = await make('camera.avi', ...halves('320x240'), ...as('bt601', 'pc', 'yuvj422p'), '-c:v', 'mjpeg')
  await colours(t, avi, 'avi', 8)
})

t.test('HDR becomes what it looks like', async (t) => {
  for (const transfer of ['arib-std-b67', 'smpte2084']) {
    const linear = 'zscale=min=gbr:m=gbr:rin=pc:tin=bt709:pin=bt709:p=bt709:t=linear:npl=100,format=gbrpf32le'
    const hdr = `zscale=min=gbr:tin=linear:pin=bt709:p=bt2020:t=${transfer}:m=bt2020nc:r=tv:npl=203,format=yuv420p10le`
    const hevc = ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none']
    const says = ['-color_primaries', 'bt2020', '-color_trc', transfer, '-colorspace', 'bt2020nc']
    const file = await make(`${transfer}.mp4`, ...halves('320x240'), '-vf', `${linear},${hdr}`, ...hevc, ...says)
    await colours(t, file, 'mp4', 24)
  }
})

t.test('a picture that browsers play with the right colours is copied, and says which they are', async (t) => {
  const hd = await make('plain.mp4', ...halves('1280x720'), ...as('bt709', 'tv', 'yuv420p'), ...h264)
  const { file, video } = await encoded(t, hd, 'mp4')
  t.match((await frames(file))[0], { color_space: 'bt709', color_primaries: 'bt709', color_transfer: 'bt709' })
  t.match(video, { profile: 'Constrained Baseline' }, 'ours would be High')
})

t.test('a profile or level that some browsers do not play is encoded anew', async (t) => {
  const source = [...halves('1280x720'), ...as('bt709', 'tv', 'yuv420p'), ...tags('bt709', 'tv'), '-c:v', 'libx264']
  for (const [name, args] of Object.entries({
    lossless: ['-qp', '0', '-preset', 'ultrafast'],
    level: ['-level', '6.0', '-preset', 'ultrafast'],
  })) {
    const { video } = await encoded(t, await make(`${name}.mp4`, ...source, ...args), 'mp4')
    t.match(video, { profile: 'High', pixelFormat: 'yuv420p' }, name)
    t.ok((video?.level ?? 99) <= 51)
  }
})

t.test('a picture whose size changes midway has one size and is not distorted', async (t) => {
  const joined = async (name: string, ...sizes: string[]) => {
    const parts = await Promise.all(
      sizes.map((size, place) =>
        make(`${name}-${place}.ts`, ...halves(size), ...as('bt601', 'tv', 'yuv420p'), ...h264),
      ),
    )
    const file = join(folder, `${name}.ts`)
    await writeFile(file, Buffer.concat(await Promise.all(parts.map((part) => readFile(part)))))
    return file
  }
  const grown = await joined('grown', '320x180', '640x360')
  const copies: [string, Container][] = [
    [grown, 'mpegts'],
    [await make('grown.mp4', '-i', grown, '-c', 'copy'), 'mp4'],
    [await make('grown.mkv', '-i', grown, '-c', 'copy'), 'matroska'],
  ]
  for (const [file, container] of copies) {
    const result = await encoded(t, file, container)
    const sizes = new Set((await frames(result.file)).map(({ width, height }) => `${width}x${height}`))
    t.strictSame([...sizes], ['640x360'], file)
    for (const second of [0.2, 1.2]) {
      near(t, await colourAt(result.file, 0.02, 0.05, second), left ?? [], `left at ${second} s`)
      near(t, await colourAt(result.file, 0.95, 0.05, second), right ?? [], `right at ${second} s`)
    }
  }
  const turned = await encoded(t, await joined('turned', '320x180', '180x320'), 'mpegts')
  t.match(turned.video, { width: 320, height: 320 })
  for (const [second, x, y, colour] of [
    [0.2, 0.02, 0.25, left],
    [0.2, 0.02, 0.02, black],
    [1.2, 0.25, 0.02, left],
    [1.2, 0.02, 0.02, black],
  ] as const) {
    near(t, await colourAt(turned.file, x, y, second), [...(colour ?? [])], `at ${second} s, ${x}, ${y}`)
  }
  const vp8 = ['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8']
  const small = await make('small.webm', ...halves('160x90'), ...vp8)
  const large = await make('large.webm', ...halves('320x180'), ...vp8)
  const list = join(folder, 'list.txt')
  await writeFile(list, `file '${small}'\nfile '${large}'\n`)
  const webm = await make('resized.webm', '-f', 'concat', '-safe', '0', '-i', list, '-c', 'copy')
  t.match((await encoded(t, webm, 'matroska')).video, { width: 320, height: 180 })
})

t.test('a picture is turned and flipped as its matrix says, also where it could be copied', async (t) => {
  const one = 0x1_00_00
  const matrices: [string, number[], number[], [number, number]][] = [
    ['upside down', [one, 0, 0, -one], left ?? [], [0.25, 0.75]],
    ['mirrored', [-one, 0, 0, one], left ?? [], [0.75, 0.25]],
    ['half a turn', [-one, 0, 0, -one], left ?? [], [0.75, 0.75]],
    ['a quarter to the right', [0, one, -one, 0], left ?? [], [0.75, 0.25]],
    ['a quarter to the left', [0, -one, one, 0], left ?? [], [0.25, 0.75]],
    ['transposed', [0, one, one, 0], left ?? [], [0.25, 0.25]],
    ['transposed the other way', [0, -one, -one, 0], left ?? [], [0.75, 0.75]],
  ]
  const plain = await readFile(
    await make('matrix.mp4', ...halves('1280x720'), ...as('bt709', 'tv', 'yuv420p'), ...h264, ...tags('bt709', 'tv')),
  )
  for (const [name, [a = 0, b = 0, c = 0, d = 0], colour, [x, y]] of matrices) {
    const bytes = Buffer.from(plain)
    const at = bytes.indexOf('tkhd') + 44
    for (const [place, value] of [
      [0, a],
      [4, b],
      [12, c],
      [16, d],
    ] as const)
      bytes.writeInt32BE(value, at + place)
    const file = join(folder, 'flipped.mp4')
    await writeFile(file, bytes)
    const result = await encoded(t, file, 'mp4')
    t.match(result.video, { upright: true, ...(a === 0 ? { width: 720, height: 1280 } : { width: 1280, height: 720 }) })
    near(t, await colourAt(result.file, x, y), colour, name)
  }
})

t.test('frames keep their number and times, whatever the container says of their rate', async (t) => {
  const shaken = "settb=1/90000,setpts='N*3600+mod(N*7919,1501)'"
  const source = [
    ...picture('160x120', 4),
    '-vf',
    shaken,
    '-enc_time_base',
    '1:90000',
    '-vsync',
    'passthrough',
    '-bf',
    '0',
  ]
  const file = await make('shaken.mp4', ...source, ...h264)
  t.equal((await frames((await encoded(t, file, 'mp4')).file)).length, 100)

  const screen = "setpts='if(lt(N,25),N,25+(N-25)*50)/25/TB'"
  const still = await make('screen.mkv', ...picture('160x120', 1.4), '-vf', screen, '-vsync', 'vfr', '-c:v', 'mpeg4')
  const kept = await frames((await encoded(t, still, 'matroska')).file)
  t.equal(kept.length, 35)
  t.ok(Math.abs(Number(kept.at(-1)?.pts_time) - 19) < 0.1, `the last frame is at ${kept.at(-1)?.pts_time}`)

  for (const [rate, wanted] of [
    [25, 50],
    [50, 50],
    [60, 60],
    [120, 60],
  ] as const) {
    const fast = await make(`fast${rate}.mp4`, ...picture('160x120', 2, rate), '-c:v', 'mpeg4')
    t.equal((await frames((await encoded(t, fast, 'mp4')).file)).length, wanted, `${rate} frames a second`)
  }
})
