import { createReadStream } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { testStore } from '@playtherapy/testing'
import t from 'tap'
import { runFfmpeg } from '../src/ffmpeg/ffmpeg.ts'
import { openScratchFile } from '../src/ffmpeg/scratch.ts'
import { openSource } from '../src/ffmpeg/source-server.ts'
import { aac, canary, folder, h264, make, never, picture, prepare, refused, sound } from './encode-support.ts'

/** Thirty frames with 28 h between each and the next, of a track that claims 60 frames a second. */
const gaps = (hours: number) => [
  '-vf',
  `setpts=N*${hours}*3600/TB`,
  '-enc_time_base',
  '1:1000',
  '-vsync',
  'passthrough',
]
const small = [...picture('320x240', 1), ...sound(1), ...h264, ...aac]

t.test('a recording that claims to last for months is refused at once', async (t) => {
  // More than 596 hours do not fit into the column of a rendition's length.
  const file = await make('gaps.mkv', ...picture('64x64', 0.5, 60), ...h264, '-bf', '0', ...gaps(28))
  await refused(t, file, 'matroska', /longer than 12 hours/)
})

t.test('one that does not say how long it lasts is refused as soon as its result is too long', async (t) => {
  const live = ['-f', 'matroska', '-seekable', '0', '-live', '1']
  const file = await make('live.mkv', ...picture('64x64', 0.5, 60), ...h264, '-bf', '0', ...gaps(0.1), ...live)
  await refused(t, file, 'matroska', /longer than 6 minutes/, { maxSeconds: 360 })
})

t.test('sound that goes on and on beside a short picture is refused', async (t) => {
  const file = await make('drone.mp4', ...picture('64x64', 1), ...sound(70), ...h264, ...aac)
  await refused(t, file, 'mp4', /longer than 1 minutes/, { maxSeconds: 60 })
})

t.test('a picture larger than 8K is never decoded', async (t) => {
  const file = await make(
    '16k.mkv',
    '-f',
    'lavfi',
    '-i',
    'color=size=16000x16000:rate=1:duration=1,format=monob',
    '-c:v',
    'png',
  )
  await refused(t, file, 'matroska', /larger than 8192 × 4320/)
})

t.test('what needs more memory than there is for it is refused, once', async (t) => {
  const file = await make('4k.mp4', ...picture('3840x2160', 1, 10), ...h264)
  await refused(t, file, 'mp4', /more memory/, { memoryBytes: 200 * 1024 ** 2 })
})

t.test('an encode that needs more work than its size explains is stopped', async (t) => {
  const file = await make('work.mp4', ...picture('1280x720', 4, 30), ...h264)
  const store = await testStore(t, 'file')
  const { size, etag } = await store.put('video/work', createReadStream(file), { contentType: 'video/mp4' })
  const source = await openSource(store, { key: 'video/work', size, etag })
  t.teardown(() => source.close())
  const output = await openScratchFile(folder)
  t.teardown(() => output.close())
  const encoding = runFfmpeg({
    ffmpegPath: 'ffmpeg',
    input: source.input(),
    container: 'mp4',
    signal: never,
    seconds: 4,
    onProgress() {},
    stallSeconds: 30,
    maxBytes: 1024 ** 3,
    maxSeconds: 3_600,
    memoryBytes: 768 * 1024 ** 2,
    // As if the recording were so small that a single CPU second remains.
    size: -119 * 256,
    threads: { decoder: 1, filter: 1 },
    outputs: [{ options: ['-c:v', 'libx264', '-preset', 'veryslow', '-f', 'mp4'], file: output }],
  })
  await t.rejects(encoding, { name: 'FfmpegError', message: 'ffmpeg: too much work' })
})

t.test('tables that claim billions of entries are refused', async (t) => {
  const whole = await readFile(await make('tables.mp4', ...small))
  for (const [table, offset] of [
    ['stsz', 12],
    ['stco', 8],
    ['stsc', 8],
  ] as const) {
    const bytes = Buffer.from(whole)
    bytes.writeUInt32BE(0x0f_ff_ff_ff, bytes.indexOf(table) + offset)
    const file = join(folder, `${table}.mp4`)
    await writeFile(file, bytes)
    await refused(t, file, 'mp4', /cannot be read|ends early/)
  }
})

/** A chunk of an AVI file: name, length, bytes, and a byte that makes the length even. */
function chunk(name: string, ...parts: Buffer[]): Buffer {
  const data = Buffer.concat(parts)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(data.length)
  return Buffer.concat([Buffer.from(name, 'latin1'), length, data, Buffer.alloc(data.length % 2)])
}

/** Adds a third track with one subtitle to an AVI file; its demuxer opens a second demuxer for it. */
function withSubtitle(avi: Buffer, text: string): Buffer {
  const track = Buffer.alloc(56)
  track.write('txts')
  track.writeUInt32LE(1, 20)
  track.writeUInt32LE(1, 24)
  const strl = chunk('LIST', Buffer.from('strl'), chunk('strh', track), chunk('strf'))
  const size = Buffer.alloc(4)
  size.writeUInt32LE(text.length)
  const start = Buffer.from('GAB2\0\x02\0\x02\0\0\0\0\0\x04\0', 'latin1')
  const header = avi.indexOf('hdrl')
  const end = header + avi.readUInt32LE(header - 4)
  const movie = avi.indexOf('movi') + 4
  const subtitle = chunk('02tx', start, size, Buffer.from(text))
  const bytes = Buffer.concat([avi.subarray(0, end), strl, avi.subarray(end, movie), subtitle, avi.subarray(movie)])
  bytes.writeUInt32LE(end - header + strl.length, header - 4)
  return bytes
}

t.test('a playlist as the subtitle of an AVI opens nothing', async (t) => {
  const { seen, url: server } = await canary(t)
  const url = `${server}/secret.ts`
  const avi = await readFile(await make('plain.avi', ...picture('320x240', 1), ...sound(1)))
  const playlists = [url, 'file:///etc/passwd'].map((path) => `#EXTM3U\n#EXTINF:10,\n${path}\n#EXT-X-ENDLIST\n`)
  for (const text of [...playlists, `ffconcat version 1.0\nfile '${url}'\n`]) {
    const file = join(folder, 'subtitle.avi')
    await writeFile(file, withSubtitle(avi, text))
    const job = await prepare(t, file, 'avi')
    await job.encode({ video_id: (await job.upload()).video_id }, { signal: never })
    t.match(await job.state(), { encoding: 3 })
  }
  t.strictSame(seen, [])
})

t.test('ten thousand tracks are refused', async (t) => {
  const whole = await readFile(await make('tracks.mp4', ...small))
  const moov = whole.indexOf('moov') - 4
  const track = whole.indexOf('trak') - 4
  const one = whole.subarray(track, track + whole.readUInt32BE(track))
  const index = whole.subarray(moov, moov + whole.readUInt32BE(moov))
  const many = Buffer.concat([index, ...Array.from({ length: 10_000 }, () => one)])
  many.writeUInt32BE(many.length)
  const file = join(folder, 'many.mp4')
  await writeFile(file, Buffer.concat([whole.subarray(0, moov), many]))
  await refused(t, file, 'mp4', /cannot be read/)
})

t.test('an honest recording of a camcorder whose clock begins anew fits', async (t) => {
  // The clock of a transport stream has 33 bits and so ends at 95,443.7 s.
  const file = await make(
    'avchd.ts',
    ...picture('320x240', 4),
    ...sound(4),
    ...h264,
    ...aac,
    '-output_ts_offset',
    '95442',
  )
  const job = await prepare(t, file, 'mpegts')
  await job.encode({ video_id: (await job.upload()).video_id }, { signal: never })
  t.match(await job.state(), { encoding: 3, length: /^00:00:0[345]$/ })
})

t.test('an honest recording of a phone in 4K at 60 frames a second fits', async (t) => {
  const hevc = ['-c:v', 'libx265', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p10le', '-tag:v', 'hvc1']
  const file = await make('phone.mp4', ...picture('3840x2160', 0.3, 60), ...sound(0.3), ...hevc, ...aac)
  const job = await prepare(t, file, 'mp4')
  await job.encode({ video_id: (await job.upload()).video_id }, { signal: never })
  t.match(await job.state(), { encoding: 3 })
  t.match((await job.result()).video, { width: 1920, height: 1080 })
})

t.test('a missing program is not blamed on the recording', async (t) => {
  const file = await make('small.mp4', ...small)
  for (const missing of [{ ffmpegPath: '/no/ffmpeg' }, { ffprobePath: '/no/ffprobe' }]) {
    const job = await prepare(t, file, 'mp4', missing)
    const error = await job
      .encode({ video_id: (await job.upload()).video_id }, { signal: never })
      .catch((fault) => fault)
    t.notMatch(error, { name: 'PermanentError' })
    t.type(error, Error)
  }
})
