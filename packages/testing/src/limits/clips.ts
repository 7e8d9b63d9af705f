import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { crc32, createDeflate } from 'node:zlib'

/** The side of the largest square picture that ffmpeg accepts (about 2^28 pixels). */
const hugeSidePixels = 16_000

function pngChunk(name: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data])
  const frame = Buffer.alloc(8)
  frame.writeUInt32BE(data.length, 0)
  frame.writeUInt32BE(crc32(body), 4)
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)])
}

/** Returns a black PNG of 16,000 by 16,000 pixels, which has three megabytes. */
async function hugePng(): Promise<Buffer> {
  const deflate = createDeflate({ level: 1 })
  const rows = Buffer.alloc((1 + hugeSidePixels * 3) * 16)
  const compressed: Buffer[] = []
  deflate.on('data', (chunk) => compressed.push(chunk))
  for (let row = 0; row < hugeSidePixels; row += 16) {
    if (!deflate.write(rows)) await new Promise((resolve) => deflate.once('drain', resolve))
  }
  await new Promise((resolve) => deflate.once('end', resolve).end())
  const header = Buffer.alloc(13)
  header.writeUInt32BE(hugeSidePixels, 0)
  header.writeUInt32BE(hugeSidePixels, 4)
  // The picture has 8 bits each of red, green and blue.
  header.set([8, 2, 0, 0, 0], 8)
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  const chunks = [
    pngChunk('IHDR', header),
    pngChunk('IDAT', Buffer.concat(compressed)),
    pngChunk('IEND', Buffer.alloc(0)),
  ]
  return Buffer.concat([signature, ...chunks])
}

/** Moves frame n to n times `ms`; Matroska counts in milliseconds. */
const everyMs = (ms: number) => ['-bsf:v', `setts=ts=N*${ms}`]
const testPicture = (rate: number, frames: number) => [
  ...`-f lavfi -i testsrc2=size=320x240:rate=${rate} -frames:v ${frames}`.split(' '),
  ...'-c:v libx264 -bf 0 -pix_fmt yuv420p'.split(' '),
]
const gapMs = 28 * 3_600_000
const black = (size: string, frames = 1) => [
  ...`-f lavfi -i color=black:size=${size}:rate=${frames} -frames:v ${frames}`.split(' '),
]
const eightK = '8192x4320'

/** The arguments of ffmpeg that make each recording; the suffix of its name decides the container. */
const recipes = {
  'small.mp4': [...'-f lavfi -i sine=frequency=330:duration=2 -c:a aac'.split(' '), ...testPicture(15, 30)],
  'big.mp4': [
    ...'-f lavfi -i nullsrc=s=640x360:r=25:d=6,geq=random(1)*255:128:128'.split(' '),
    ...'-c:v libx264 -preset ultrafast -crf 4 -pix_fmt yuv420p'.split(' '),
  ],
  // The worker needs two seconds for the first and minutes for the second.
  'short.mkv': ['-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=25:duration=8', '-c:v', 'mpeg4'],
  'lengthy.mkv': ['-f', 'lavfi', '-i', 'testsrc2=size=1920x1080:rate=25:duration=60', '-c:v', 'mpeg4', '-g', '250'],
  // It becomes five chunks of two rungs.
  'growing.mkv': ['-f', 'lavfi', '-i', 'testsrc2=size=960x540:rate=15:duration=90', '-c:v', 'mpeg4', '-g', '30'],
  // These claim 60 frames a second, but the second frame is 28 hours after the first.
  'endless.mkv': [...testPicture(60, 40), ...everyMs(gapMs)],
  'endless-sound.mkv': [
    ...'-f lavfi -i anullsrc=sample_rate=8000:duration=1 -c:a aac'.split(' '),
    ...[...testPicture(60, 10), ...everyMs(gapMs)],
  ],
  'endless.mp4': [...testPicture(60, 40), '-video_track_timescale', '1000', '-bsf:v', `setts=ts=N*${gapMs}`],
  // These are only remuxed, which takes no time: one is longer than an int4 of milliseconds (596 hours), one shorter.
  'long-601-hours.mkv': [...testPicture(1, 602), '-g', '1', ...everyMs(3_600_000)],
  'long-13-hours.mkv': [...testPicture(1, 14), '-g', '1', ...everyMs(3_600_000)],
  'hevc-8k.mkv': [...black(eightK, 12), '-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none'],
  'hevc-8k.mp4': [...black(eightK, 12), '-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none'],
  'vp9-8k.webm': [...black(eightK), '-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8'],
  'av1-8k.mkv': [...black(eightK), '-c:v', 'libsvtav1', '-preset', '12'],
  'streams-500.mkv': [
    ...'-f lavfi -i testsrc2=size=320x240:rate=15:duration=1'.split(' '),
    ...'-f lavfi -i anullsrc=sample_rate=8000:duration=1'.split(' '),
    ...['-map', '0', ...Array.from({ length: 500 }, () => ['-map', '1']).flat(), '-c:v', 'mpeg4', '-c:a', 'aac'],
  ],
  'tags.mkv': [
    ...testPicture(15, 15),
    ...Array.from({ length: 15 }, (_, n) => ['-metadata', `tag${n}=${'x'.repeat(100_000)}`]).flat(),
  ],
  'little.ts': testPicture(15, 60),
  'large.ts': [...black(eightK, 15), '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'],
} as const

type Recipe = keyof typeof recipes
/** The arguments for a first video stream before the huge PNG. */
const withPng = {
  'png-16k.mkv': [],
  'png-16k.mov': [],
  'png-16k-second.mkv': ['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=15:duration=1'],
} as const
export type ClipName = Recipe | keyof typeof withPng

/** Recordings by name, each made at its first use. */
export interface Clips {
  get(name: ClipName): Promise<Uint8Array<ArrayBuffer>>
  remove(): Promise<void>
}

export async function openClips(): Promise<Clips> {
  const folder = await mkdtemp(join(tmpdir(), 'playtherapy-limits-clips-'))
  const made = new Map<ClipName, Promise<Uint8Array<ArrayBuffer>>>()
  const isRecipe = (name: ClipName): name is Recipe => name in recipes
  const make = async (name: ClipName) => {
    const file = join(folder, name)
    let source: readonly string[]
    if (isRecipe(name)) source = recipes[name]
    else {
      const png = join(folder, `${name}.png`)
      // The file has six pictures, since decoders work on several at once.
      await writeFile(png, Buffer.concat(new Array<Buffer>(6).fill(await hugePng())))
      const maps = withPng[name].length > 0 ? ['-map', '0', '-map', '1', '-c:v:1', 'copy'] : ['-c', 'copy']
      source = [...withPng[name], '-f', 'png_pipe', '-i', png, ...maps]
    }
    await promisify(execFile)('ffmpeg', ['-loglevel', 'error', ...source, file], {
      env: { ...process.env, SVT_LOG: '0' },
    })
    return new Uint8Array(await readFile(file))
  }
  return {
    get(name) {
      const making = made.get(name) ?? make(name)
      made.set(name, making)
      return making
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
