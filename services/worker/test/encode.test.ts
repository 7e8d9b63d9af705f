import { readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Container, container, outbox } from '@playtherapy/schema'
import t from 'tap'
import { aac, canary, folder, h264, make, never, picture, prepare, refused, sound, turned } from './encode-support.ts'

interface Input {
  file: () => Promise<string>
  container: Container
  width: number
  height: number
  seconds?: number
  sound?: boolean
}

const inputs: Record<string, Input> = {
  'MP4 with its index at the end': {
    file: () => make('end.mp4', ...picture('320x240'), ...sound(), ...h264, ...aac),
    container: 'mp4',
    width: 320,
    height: 240,
  },
  'MP4 with its index in front': {
    file: () => make('front.mp4', ...picture('320x240'), ...sound(), ...h264, ...aac, '-movflags', '+faststart'),
    container: 'mp4',
    width: 320,
    height: 240,
  },
  'fragmented MP4': {
    file: () =>
      make('frag.mp4', ...picture('320x240'), ...sound(), ...h264, ...aac, '-movflags', 'frag_keyframe+empty_moov'),
    container: 'mp4',
    width: 320,
    height: 240,
  },
  'MOV, HEVC, held upright': {
    file: async () =>
      turned(
        'hevc.mov',
        await make(
          'flat.mov',
          ...picture('640x360'),
          ...sound(),
          '-c:v',
          'libx265',
          '-preset',
          'ultrafast',
          '-tag:v',
          'hvc1',
          ...aac,
        ),
      ),
    container: 'mp4',
    width: 360,
    height: 640,
  },
  'H.264 held upright': {
    file: async () => turned('turned.mp4', await make('flat.mp4', ...picture('640x360'), ...sound(), ...h264, ...aac)),
    container: 'mp4',
    width: 360,
    height: 640,
  },
  'WebM, VP9 and Opus': {
    file: () =>
      make(
        'a.webm',
        ...picture('320x240'),
        ...sound(),
        '-c:v',
        'libvpx-vp9',
        '-deadline',
        'realtime',
        '-cpu-used',
        '8',
        '-c:a',
        'libopus',
      ),
    container: 'matroska',
    width: 320,
    height: 240,
  },
  'Matroska with H.264': {
    file: () => make('a.mkv', ...picture('320x240'), ...sound(), ...h264, ...aac),
    container: 'matroska',
    width: 320,
    height: 240,
  },
  'MPEG-TS': {
    file: () => make('a.ts', ...picture('320x240'), ...sound(), ...h264, ...aac),
    container: 'mpegts',
    width: 320,
    height: 240,
  },
  'MPEG-TS, interlaced MPEG-2': {
    file: () =>
      make(
        'i.ts',
        ...picture('720x576'),
        ...sound(),
        '-c:v',
        'mpeg2video',
        '-flags',
        '+ilme+ildct',
        '-top',
        '1',
        '-aspect',
        '4:3',
        '-c:a',
        'mp2',
      ),
    container: 'mpegts',
    width: 768,
    height: 576,
  },
  'AVI of a camera, Motion JPEG and PCM': {
    file: () =>
      make('a.avi', ...picture('320x240'), ...sound(), '-c:v', 'mjpeg', '-pix_fmt', 'yuvj422p', '-c:a', 'pcm_s16le'),
    container: 'avi',
    width: 320,
    height: 240,
  },
  'AVI of a tape, interlaced DV': {
    file: () =>
      make('dv.avi', ...picture('720x576'), ...sound(), '-c:v', 'dvvideo', '-pix_fmt', 'yuv420p', '-aspect', '4:3'),
    container: 'avi',
    width: 768,
    height: 576,
  },
  'MPEG-PS of a camcorder, interlaced MPEG-2': {
    file: () =>
      make(
        'a.mpg',
        ...picture('720x576'),
        ...sound(),
        '-target',
        'pal-dvd',
        '-flags',
        '+ilme+ildct',
        '-aspect',
        '16:9',
      ),
    container: 'mpegps',
    width: 1024,
    height: 576,
  },
  'variable frame rate': {
    file: () =>
      make(
        'vfr.mkv',
        ...picture('320x240', 2, 60),
        ...sound(),
        '-vf',
        "select='lt(mod(n,10),3)'",
        '-vsync',
        'vfr',
        ...h264,
        ...aac,
      ),
    container: 'matroska',
    width: 320,
    height: 240,
  },
  'odd sides': {
    file: () =>
      make(
        'odd.mkv',
        ...picture('321x241'),
        ...sound(),
        '-c:v',
        'libx264',
        '-preset',
        'ultrafast',
        '-pix_fmt',
        'yuv444p',
        ...aac,
      ),
    container: 'matroska',
    width: 320,
    height: 240,
  },
  '10 bit': {
    file: () =>
      make(
        'ten.mp4',
        ...picture('320x240'),
        ...sound(),
        '-c:v',
        'libx264',
        '-preset',
        'ultrafast',
        '-pix_fmt',
        'yuv420p10le',
        ...aac,
      ),
    container: 'mp4',
    width: 320,
    height: 240,
  },
  '60 frames a second': {
    file: () => make('sixty.mp4', ...picture('320x240', 2, 60), ...sound(), ...h264, ...aac),
    container: 'mp4',
    width: 320,
    height: 240,
  },
  'no sound': {
    file: () => make('silent.mp4', ...picture('320x240'), ...h264),
    container: 'mp4',
    width: 320,
    height: 240,
    sound: false,
  },
  'five channels': {
    file: () => make('five.mp4', ...picture('320x240'), ...sound(2, '5.0'), ...h264, ...aac),
    container: 'mp4',
    width: 320,
    height: 240,
  },
  '4K': {
    file: () => make('4k.mp4', ...picture('3840x2160', 1, 10), ...sound(1), ...h264, ...aac),
    container: 'mp4',
    width: 1920,
    height: 1080,
    seconds: 1,
  },
  'one second': {
    file: () => make('one.mp4', ...picture('320x240', 1), ...sound(1), ...h264, ...aac),
    container: 'mp4',
    width: 320,
    height: 240,
    seconds: 1,
  },
  'two hours of a still': {
    file: () => make('long.mp4', '-f', 'lavfi', '-i', 'color=size=64x64:rate=1:duration=7200', ...h264),
    container: 'mp4',
    width: 64,
    height: 64,
    seconds: 7200,
    sound: false,
  },
}

for (const [name, { file, container, width, height, seconds = 2, sound: hasSound = true }] of Object.entries(inputs)) {
  t.test(name, async (t) => {
    const job = await prepare(t, await file(), container)
    const { video_id } = await job.upload()
    await job.encode({ video_id }, { signal: never })
    t.match(await job.state(), { encoding: 3, videos: [{ state: 'encoded', attempt: 2 }] })
    const { video, audio, seconds: length = 0, bytes } = await job.result()
    t.match(video, {
      codec: 'h264',
      pixelFormat: 'yuv420p',
      width,
      height,
      upright: true,
      interlaced: false,
      pixelAspect: 1,
    })
    t.ok((video?.frameRate ?? 99) < 31, `${video?.frameRate} frames a second`)
    t.strictSame(audio?.codec, hasSound ? 'aac' : undefined)
    t.ok((audio?.channels ?? 0) <= 2)
    t.ok(Math.abs(length - seconds) < 0.3, `${length} s`)
    t.ok(bytes.indexOf('moov') < bytes.indexOf('mdat'), 'the index is in front')
    t.strictSame(await readdir(job.scratchDirectory), [], 'nothing is left on the disk')
  })
}

t.test('the length is filled in only when nobody gave one', async (t) => {
  const job = await prepare(t, join(folder, 'one.mp4'), 'mp4')
  const { video_id } = await job.upload()
  await job.encode({ video_id }, { signal: never })
  t.match(await job.state(), { length: '00:00:01' })
})

t.test('where a phone was does not survive', async (t) => {
  const file = await make(
    'gps.mp4',
    ...picture('320x240'),
    ...h264,
    '-metadata',
    'location=+37.5665+126.9780/',
    '-metadata',
    'title=Jiwoo',
  )
  t.ok((await readFile(file)).includes('Jiwoo'))
  const job = await prepare(t, file, 'mp4')
  await job.encode({ video_id: (await job.upload()).video_id }, { signal: never })
  const { bytes } = await job.result()
  t.notOk(bytes.includes('Jiwoo') || bytes.includes('37.5665'))
})

t.test('sound alone is refused', async (t) => {
  const file = await make('sound.mp4', ...sound(), ...aac)
  await refused(t, file, 'mp4', /no picture/)
})

t.test('a file cut short is refused, wherever its index is', async (t) => {
  for (const flags of [['-movflags', '+faststart'], []]) {
    const file = await make(`cut${flags.length}.mp4`, ...picture('320x240', 20), ...h264, ...flags)
    const { length } = await readFile(file)
    await truncate(file, Math.floor(length / 2))
    await refused(t, file, 'mp4', /ends early|cannot be read/)
  }
})

t.test('bytes that only begin like a video are refused', async (t) => {
  const file = join(folder, 'noise.mp4')
  const start = (await readFile(join(folder, 'end.mp4'))).subarray(0, 64)
  await writeFile(file, Buffer.concat([start, Buffer.alloc(100_000, 7)]))
  await refused(t, file, 'mp4', /cannot be read/)
})

t.test('a script in disguise opens nothing', async (t) => {
  const { seen, url: server } = await canary(t)
  const url = `${server}/secret.mp4`
  const scripts = {
    playlist: `#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n${url}\n#EXT-X-ENDLIST\n`,
    concat: `ffconcat version 1.0\nfile '${url}'\nfile '/etc/passwd'\n`,
  }
  for (const [name, text] of Object.entries(scripts)) {
    const file = join(folder, `${name}.mp4`)
    await writeFile(file, text)
    for (const each of container.enumValues) await refused(t, file, each, /cannot be read/)
  }
  t.strictSame(seen, [])
})
t.test('a rendition larger than allowed is refused', (t) =>
  refused(t, join(folder, 'turned.mp4'), 'mp4', /larger than/, { scratchMaxBytes: 1_000 }),
)

t.test('the sound goes apart too, as transcribers want it', async (t) => {
  const file = await make('loud.mp4', ...picture('320x240'), ...sound(2), ...h264, ...aac, '-shortest')
  const job = await prepare(t, file, 'mp4')
  const { video_id } = await job.upload()
  await job.encode({ video_id }, { signal: never })
  const heard = await job.sound()
  t.match(heard, { audio: { codec: 'aac', channels: 1 } })
  t.equal(heard.video, undefined)
  t.ok(Math.abs((heard.seconds ?? 0) - 2) < 0.2)
  t.ok(heard.bytes.length < 30_000)
  t.strictSame(
    (await job.db.select().from(outbox)).map(({ name }) => name),
    ['delete-superseded', 'finish-video'],
    'nobody transcribes',
  )
  t.match(await job.state(), { script: 5 })

  const mute = await prepare(t, await make('mute.mp4', ...picture('320x240'), ...h264), 'mp4')
  await mute.encode({ video_id: (await mute.upload()).video_id }, { signal: never })
  t.notOk((await mute.keys()).some((key) => key.includes('audio_')))
})
