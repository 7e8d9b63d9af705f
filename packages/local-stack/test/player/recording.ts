import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { RungFile } from '@playtherapy/testing'

/** Seconds of a fragment; a segment is two. */
const fragmentSeconds = 2
/** The picture gets lighter by so many levels every two seconds: codecs change a level by one or two. */
const [firstGrey, greyPerStep, stepSeconds] = [20, 6, 2]

/** The even second whose grey a pixel has. Grey of a video has 219 levels from 16 on, and that of a page 255. */
export const secondOf = ({ green }: { green: number }) =>
  Math.round((16 + (green * 219) / 255 - firstGrey) / greyPerStep) * stepSeconds

/** The boxes of an MP4 file, at the top. */
function boxesOf(bytes: Buffer): { type: string; bytes: Buffer }[] {
  const boxes = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + bytes.readUInt32BE(at)
    boxes.push({ type: bytes.toString('latin1', at + 4, at + 8), bytes: bytes.subarray(at, end) })
    at = end
  }
  return boxes
}

/** Splits a fragmented file into chunks of so many fragments, each with the header. */
function split(bytes: Buffer, perChunk: number, size?: RungFile['size']): RungFile[] {
  const boxes = boxesOf(bytes)
  const header = Buffer.concat(boxes.filter(({ type }) => type === 'ftyp' || type === 'moov').map((box) => box.bytes))
  const fragments = boxes.flatMap(({ type, bytes: moof }, index) => {
    const mdat = boxes[index + 1]
    return type === 'moof' && mdat ? [Buffer.concat([moof, mdat.bytes])] : []
  })
  const chunks = Array.from({ length: Math.ceil(fragments.length / perChunk) }, (_, index) =>
    fragments.slice(index * perChunk, (index + 1) * perChunk),
  )
  return chunks.map((own) => {
    const pairs = Array.from({ length: Math.ceil(own.length / 2) }, (_, index) => own.slice(index * 2, index * 2 + 2))
    const segments = pairs.map((pair): [number, number] => [
      pair.length * fragmentSeconds,
      pair.reduce((sum, { length }) => sum + length, 0),
    ])
    return { header, segments, bytes: Buffer.concat([header, ...own]), ...(size && { size }) }
  })
}

const run = promisify(execFile)
const encoder = '-c:v libx264 -preset ultrafast -profile:v high -level 3.1 -pix_fmt yuv420p'.split(' ')

/** Inputs of ffmpeg: a picture that gets lighter, and a tone. */
function greys(seconds: number): string[] {
  const grey = `geq=lum='${firstGrey}+floor(T/${stepSeconds}+0.01)*${greyPerStep}':cb=128:cr=128`
  return [
    ...['-f', 'lavfi', '-i', `color=size=64x36:rate=10:duration=${seconds},format=yuv444p,${grey}`],
    ...['-f', 'lavfi', '-i', `sine=frequency=440:duration=${seconds}`],
  ]
}

/** Runs ffmpeg, whose last arguments name files, and returns the bytes of these. */
async function make(args: (of: (name: string) => string) => string[], names: string[]): Promise<Buffer[]> {
  const folder = await mkdtemp(join(tmpdir(), 'playtherapy-greys-'))
  try {
    await run('ffmpeg', ['-loglevel', 'error', ...args((name) => join(folder, name))])
    return await Promise.all(names.map((name) => readFile(join(folder, name))))
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Makes a recording of at most 70 s, which gets lighter, see `secondOf`. Needs ffmpeg. */
export async function makeFilm(seconds: number, codec: string[]): Promise<Uint8Array<ArrayBuffer>> {
  const scale = ['-vf', 'scale=1000:500:flags=neighbor', ...codec]
  const [film = Buffer.alloc(0)] = await make((of) => [...greys(seconds), ...scale, of('film.mp4')], ['film.mp4'])
  return Uint8Array.from(film)
}

/**
 * Makes the rungs of such a recording in chunks of `chunkSeconds`. The upper rung has noise, so that it needs some
 * 3 Mbit/s, and the lower one some 100 kbit/s.
 */
export async function makeRungs(seconds: number, chunkSeconds: number) {
  const flags = '+empty_moov+default_base_moof+skip_trailer'
  const picture = ['-map', '0:v', ...encoder, '-g', '20', '-keyint_min', '20', '-sc_threshold', '0', '-flags', '+cgop']
  const fragments = ['-movflags', `${flags}+frag_keyframe`, '-f', 'mp4']
  const sound = ['-map', '1:a', '-c:a', 'aac', '-frag_duration', `${fragmentSeconds}000000`, '-movflags', flags]
  const noise = 'scale=640:360:flags=neighbor,noise=c0s=12:c0f=t'
  const files = await make(
    (of) => [
      ...greys(seconds),
      ...[...picture, '-vf', noise, '-b:v', '3M', ...fragments, of('upper.mp4')],
      ...[...picture, '-vf', 'scale=320:180:flags=neighbor', ...fragments, of('lower.mp4')],
      ...[...sound, '-f', 'mp4', of('sound.mp4')],
    ],
    ['upper.mp4', 'lower.mp4', 'sound.mp4'],
  )
  const perChunk = chunkSeconds / fragmentSeconds
  const of = (index: number, fragments: number, size?: RungFile['size']) =>
    split(files[index] ?? Buffer.alloc(0), fragments, size)
  return {
    upper: of(0, perChunk, { width: 640, height: 360 }),
    lower: of(1, perChunk, { width: 320, height: 180 }),
    sound: of(2, seconds),
  }
}
