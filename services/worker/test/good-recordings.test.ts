import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Container } from '@playtherapy/schema'
import t, { type Test } from 'tap'
import { aac, encoded, folder, h264, make, picture, refused, sound } from './encode-support.ts'

// With a negative speed, the encoder does not adapt to the load of the machine, so that the clips are always the same.
const vp8 = ['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '-8', '-c:a', 'libopus']
const still = (size: string, seconds = 2) => ['-f', 'lavfi', '-i', `color=red:size=${size}:rate=10:duration=${seconds}`]

async function lasts(t: Test, file: string, container: Container, seconds: number) {
  const { seconds: length = 0 } = await encoded(t, file, container)
  t.ok(Math.abs(length - seconds) < 0.3, `${file.split('/').at(-1)} lasts ${length} s`)
}

t.test('a recording whose clock does not begin at 0', async (t) => {
  const offset = ['-output_ts_offset', '100']
  const source = [...picture('160x120', 3), ...sound(3)]
  await lasts(t, await make('offset.mkv', ...source, ...h264, ...aac, ...offset), 'matroska', 3)
  await lasts(t, await make('offset.webm', ...source, ...vp8, ...offset), 'matroska', 3)
  await lasts(t, await make('offset.mp4', ...source, ...h264, ...aac, ...offset), 'mp4', 3)
  const pieces = ['-g', '25', '-f', 'segment', '-segment_time', '3', '-segment_format', 'matroska']
  await make('piece%d.mkv', ...picture('160x120', 6), ...sound(6), ...h264, ...aac, ...pieces)
  await lasts(t, join(folder, 'piece1.mkv'), 'matroska', 3)
})

t.test('a recording that was trimmed on a phone, whose edit list hides its beginning', async (t) => {
  const whole = await make('whole.mp4', ...picture('160x120', 16, 10), ...sound(16), ...h264, ...aac)
  for (const from of [3, 9]) {
    const trimmed = await make(`trimmed${from}.mp4`, '-ss', `${from}`, '-i', whole, '-c', 'copy')
    await lasts(t, trimmed, 'mp4', 16 - from)
  }
})

t.test('a picture beside longer tracks', async (t) => {
  const tracks = ['-map', '0', '-map', '1', '-map', '2', ...h264, ...aac]
  for (const name of ['long-sound.mkv', 'long-sound.mp4']) {
    const file = await make(name, ...picture('160x120', 2), ...sound(2), ...sound(9), ...tracks)
    await lasts(t, file, name.endsWith('mkv') ? 'matroska' : 'mp4', 2)
  }
  const subtitle = join(folder, 'late.srt')
  await writeFile(subtitle, '1\n00:00:20,000 --> 00:00:21,000\nlate\n')
  const late = ['-i', subtitle, '-map', '0', '-map', '1']
  await lasts(t, await make('late.mkv', ...picture('160x120'), ...late, ...h264, '-c:s', 'srt'), 'matroska', 2)
  await lasts(t, await make('late.mp4', ...picture('160x120'), ...late, ...h264, '-c:s', 'mov_text'), 'mp4', 2)
  const chapters = join(folder, 'chapters.txt')
  await writeFile(chapters, ';FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=30\ntitle=all\n')
  const chaptered = ['-i', chapters, '-map', '0', '-map_chapters', '1', ...h264]
  await lasts(t, await make('chapters.mkv', ...picture('160x120'), ...chaptered), 'matroska', 2)
  await lasts(t, await make('chapters.mp4', ...picture('160x120'), ...chaptered), 'mp4', 2)
})

t.test('a header that states a longer recording than there is', async (t) => {
  const source = [...picture('160x120', 3), ...sound(3)]
  const lies: [string, Container, string[], (bytes: Buffer) => void][] = [
    [
      'lying.mkv',
      'matroska',
      [...h264, ...aac],
      // The element Duration, a number of 8 bytes.
      (bytes) => bytes.writeDoubleBE(50_000_000, bytes.indexOf(Buffer.from('448988', 'hex')) + 3),
    ],
    [
      'lying.mp4',
      'mp4',
      [...h264, ...aac],
      (bytes) => {
        for (const box of ['mvhd', 'mdhd']) bytes.writeUInt32BE(900_000_000, bytes.indexOf(box) + 20)
        bytes.writeUInt32BE(900_000_000, bytes.indexOf('tkhd') + 24)
      },
    ],
    [
      'lying-fragments.mp4',
      'mp4',
      [...h264, ...aac, '-movflags', 'frag_keyframe+empty_moov'],
      (bytes) => {
        for (const box of ['mvhd', 'mdhd']) bytes.writeUInt32BE(900_000_000, bytes.indexOf(box) + 20)
      },
    ],
    [
      'lying.avi',
      'avi',
      [],
      (bytes) => {
        bytes.writeUInt32LE(100_000, bytes.indexOf('avih') + 24)
        bytes.writeUInt32LE(100_000, bytes.indexOf('strh') + 40)
      },
    ],
  ]
  for (const [name, container, codecs, lie] of lies) {
    const file = await make(name, ...source, ...codecs)
    const bytes = await readFile(file)
    lie(bytes)
    await writeFile(file, bytes)
    await lasts(t, file, container, 3)
  }
})

t.test('a picture that does not change for long at its end', async (t) => {
  const held = ['-vf', "setpts='if(gt(N,9),PTS+20/TB,PTS)'", '-vsync', 'vfr']
  await lasts(t, await make('held.mp4', ...picture('160x120', 1.04), ...held, ...h264), 'mp4', 21)
})

t.test('a file cut short is refused, whatever it states', async (t) => {
  const source = [...picture('160x120', 20), ...sound(20)]
  const files: [string, Container, string[]][] = [
    ['cut.mkv', 'matroska', [...h264, ...aac]],
    ['cut.webm', 'matroska', vp8],
    ['cut-offset.mkv', 'matroska', [...h264, ...aac, '-output_ts_offset', '7']],
    ['cut.mp4', 'mp4', [...h264, ...aac, '-movflags', '+faststart']],
    ['cut-fragments.mp4', 'mp4', [...h264, ...aac, '-movflags', 'dash+global_sidx', '-frag_duration', '2000000']],
    ['cut.avi', 'avi', []],
  ]
  for (const [name, container, codecs] of files) {
    const file = await make(name, ...source, ...codecs)
    const { length } = await readFile(file)
    await truncate(file, Math.floor(length / 2))
    await refused(t, file, container, /ends early: only 0:(09|10) of 0:2/)
  }
})

t.test('what a browser saved until it crashed is kept as far as it goes', async (t) => {
  const file = await make('crash.webm', ...picture('160x120', 20), ...sound(20), ...vp8, '-f', 'webm', '-live', '1')
  const { length } = await readFile(file)
  await truncate(file, Math.floor(length / 2))
  await lasts(t, file, 'matroska', 10)
})

t.test('the picture is that of the recording, and neither a cover nor a preview', async (t) => {
  const both = ['-map', '0', '-map', '1', ...h264]
  const cover = ['-map', '0', '-map', '1', '-c:v:0', 'mjpeg', '-disposition:v:0', 'attached_pic', '-c:v:1', 'libx264']
  const small = ['-f', 'lavfi', '-i', 'color=red:size=640x480:rate=1:duration=1']
  const files: [string, string[]][] = [
    ['preview.mp4', [...still('64x64'), ...picture('160x120'), ...both]],
    ['preview-default.mkv', [...still('64x64'), ...picture('160x120'), ...both, '-disposition:v:1', '0']],
    ['larger.mkv', [...still('120x90'), ...picture('160x120'), ...both, '-disposition:v', '0']],
    [
      'default.mkv',
      [...still('320x240'), ...picture('160x120'), ...both, '-disposition:v:0', '0', '-disposition:v:1', 'default'],
    ],
    ['cover.mp4', [...small, ...picture('160x120'), ...cover, '-pix_fmt:v:1', 'yuv420p']],
  ]
  for (const [name, args] of files) {
    const { video } = await encoded(t, await make(name, ...args), name.endsWith('mkv') ? 'matroska' : 'mp4')
    t.match(video, { width: 160, height: 120 }, name)
  }
})

t.test('a picture that begins so late that its size is in no header', async (t) => {
  const late = ['-itsoffset', '7', ...picture('176x144', 3), ...sound(12), '-map', '0', '-map', '1']
  const mpeg4 = ['-c:v', 'mpeg4', '-g', '10', ...aac]
  for (const [name, codecs] of [
    ['late-mpeg4.mp4', mpeg4],
    ['late-h263.3gp', ['-c:v', 'h263', ...aac]],
  ] as const) {
    const { video, seconds = 0 } = await encoded(t, await make(name, ...late, ...codecs), 'mp4')
    t.match(video, { width: 176, height: 144 })
    t.ok(seconds > 9.8, `${name} lasts ${seconds} s`)
  }
})

t.test('a picture of which only parts can be read is kept, and one without any is refused', async (t) => {
  const files: [string, string[]][] = [
    ['mpeg4.mp4', ['-c:v', 'mpeg4']],
    ['hevc.mp4', ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none']],
  ]
  for (const [name, codec] of files) {
    const whole = await readFile(await make(name, ...picture('64x64', 10, 10), ...codec, '-g', '5'))
    const from = whole.indexOf('mdat') + 4
    const bytes = whole.readUInt32BE(from - 8) - 8
    /** A copy whose pictures are noise from one part of their bytes to another. */
    const damaged = async (start: number, end: number) => {
      const copy = Buffer.from(whole)
      for (let at = from + Math.floor(bytes * start); at < from + bytes * end; at++) copy[at] = (at * at * 7919) >> 8
      const file = join(folder, `damaged-${name}`)
      await writeFile(file, copy)
      return file
    }
    await lasts(t, await damaged(0.7, 1), 'mp4', 7)
    await lasts(t, await damaged(0.2, 0.95), 'mp4', 10)
    await refused(t, await damaged(0, 1), 'mp4', /cannot be read/)
  }
})
