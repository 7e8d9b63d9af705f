import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { RungFile } from '@playtherapy/testing'

const run = promisify(execFile)

/** Seconds of a fragment; a segment is two. */
const fragmentSeconds = 2
/** Levels of grey from one second of the recording to the next. */
const greyPerSecond = 3
const firstGrey = 20

/** The second that a pixel of the recording shows. Grey of a video has 219 levels from 16 on, and that of a page 255. */
export const secondOf = ({ green }: { green: number }) =>
  Math.round((16 + (green * 219) / 255 - firstGrey) / greyPerSecond)

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

/**
 * Makes the rungs of a recording in chunks of `chunkSeconds`. Each second is a grey of its own, see `secondOf`. The upper
 * rung has noise, so that it needs some 3 Mbit/s, and the lower one some 100 kbit/s. Needs ffmpeg.
 */
export async function makeRungs(seconds: number, chunkSeconds: number) {
  const folder = await mkdtemp(join(tmpdir(), 'playtherapy-rungs-'))
  const of = (name: string) => join(folder, name)
  const fragmented = ['-movflags', '+frag_keyframe+empty_moov+default_base_moof+skip_trailer', '-f', 'mp4']
  const picture = [
    '-c:v',
    'libx264',
    '-preset',
    'ultrafast',
    '-profile:v',
    'high',
    '-level',
    '3.1',
    '-pix_fmt',
    'yuv420p',
  ]
  const closed = ['-g', '20', '-keyint_min', '20', '-sc_threshold', '0', '-flags', '+cgop']
  const grey = `geq=lum='${firstGrey}+floor(T)*${greyPerSecond}':cb=128:cr=128`
  const source = ['-f', 'lavfi', '-i', `color=size=64x36:rate=10:duration=${seconds},format=yuv444p,${grey}`]
  const tone = ['-f', 'lavfi', '-i', `sine=frequency=440:duration=${seconds}`]
  const noise = 'scale=640:360:flags=neighbor,noise=c0s=12:c0f=t'
  try {
    await run('ffmpeg', [
      ...['-loglevel', 'error', ...source, ...tone],
      ...['-map', '0:v', '-vf', noise, ...picture, '-b:v', '3M', ...closed, ...fragmented, of('upper.mp4')],
      ...['-map', '0:v', '-vf', 'scale=320:180:flags=neighbor', ...picture, ...closed, ...fragmented, of('lower.mp4')],
      ...['-map', '1:a', '-c:a', 'aac', '-ac', '1', '-frag_duration', `${fragmentSeconds}000000`],
      ...['-movflags', '+empty_moov+default_base_moof+skip_trailer', '-f', 'mp4', of('sound.mp4')],
    ])
    const perChunk = chunkSeconds / fragmentSeconds
    const [upper, lower, sound] = await Promise.all(
      ['upper', 'lower', 'sound'].map((name) => readFile(of(`${name}.mp4`))),
    )
    if (!upper || !lower || !sound) throw new Error('no rungs')
    return {
      upper: split(upper, perChunk, { width: 640, height: 360 }),
      lower: split(lower, perChunk, { width: 320, height: 180 }),
      sound: split(sound, seconds),
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}
