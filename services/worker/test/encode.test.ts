import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { PermanentError, PostponedError } from '@playtherapy/jobs'
import type { ObjectStore } from '@playtherapy/object-store'
import { outbox, sessions, videos } from '@playtherapy/schema'
import { eq } from 'drizzle-orm'
import t from 'tap'
import type { Container } from '../src/ffmpeg/probe.ts'
import { aac, folder, h264, make, never, picture, prepare, refused, sound, turned } from './encode-support.ts'

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
    t.match(await job.state(), { encoding: 3, videos: [{ state: 'encoded', attempt: 1 }] })
    const { video, audio, seconds: length = 0, bytes } = await job.result()
    t.match(video, {
      codec: 'h264',
      pixelFormat: 'yuv420p',
      width,
      height,
      rotation: 0,
      interlaced: false,
      squarePixels: true,
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
  const seen: string[] = []
  const canary = createServer((request, response) => {
    seen.push(request.url ?? '')
    response.end()
  }).listen(0, '127.0.0.1')
  await once(canary, 'listening')
  t.teardown(() => canary.close())
  const address = canary.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/secret.mp4`
  const scripts = {
    playlist: `#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n${url}\n#EXT-X-ENDLIST\n`,
    concat: `ffconcat version 1.0\nfile '${url}'\nfile '/etc/passwd'\n`,
  }
  for (const [name, text] of Object.entries(scripts)) {
    const file = join(folder, `${name}.mp4`)
    await writeFile(file, text)
    for (const container of ['mp4', 'matroska', 'mpegts'] as const) await refused(t, file, container, /cannot be read/)
  }
  t.strictSame(seen, [])
})

t.test('an original that was swapped is refused', async (t) => {
  const job = await prepare(t, join(folder, 'end.mp4'), 'mp4')
  const { video_id, path } = await job.upload()
  await job.store.delete([`video/${path}`])
  await job.store.put(`video/${path}`, createReadStream(join(folder, 'turned.mp4')), { contentType: 'video/mp4' })
  await t.rejects(job.encode({ video_id }, { signal: never }), {
    name: 'PermanentError',
    message: /changed or removed/,
  })
})

t.test('a store that breaks off in the middle is no fault of the recording', async (t) => {
  const job = await prepare(t, join(folder, 'end.mp4'), 'mp4')
  const { video_id } = await job.upload()
  const { get } = job.store
  const breaking: typeof get = async (key, options) => {
    const whole = await get(key, options)
    return Readable.from(
      (async function* () {
        for await (const chunk of whole) {
          yield chunk.subarray(0, 1_000)
          throw new Error('the store broke off')
        }
      })(),
      { objectMode: false },
    )
  }
  job.store.get = breaking
  const error = await job.encode({ video_id }, { signal: never }).catch((fault: unknown) => fault)
  t.match(error, { message: 'the store broke off' })
  t.notOk(error instanceof PermanentError)
  job.store.get = get
  await job.encode({ video_id }, { signal: never })
  t.match(await job.state(), { encoding: 3, videos: [{ state: 'encoded', attempt: 2 }] })
})

t.test('a rendition larger than allowed is refused', (t) =>
  refused(t, join(folder, 'turned.mp4'), 'mp4', /larger than/, { scratchMaxBytes: 1_000 }),
)

t.test('two workers with the same job make one rendition', async (t) => {
  const job = await prepare(t, join(folder, 'turned.mp4'), 'mp4')
  const { video_id } = await job.upload()
  const results = await Promise.allSettled([1, 2].map(() => job.encode({ video_id }, { signal: never })))
  const faults = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
  t.equal(faults.length, 1)
  t.type(faults[0], PostponedError)
  t.match(await job.state(), { encoding: 3, videos: [{ state: 'encoded', attempt: 1 }] })
  t.equal((await job.keys()).length, 3, 'original, rendition and its sound')
  await job.encode({ video_id }, { signal: never })
  t.match(await job.state(), { videos: [{ attempt: 1 }] }, 'done is done')
})

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
    ['delete-superseded'],
    'nobody transcribes',
  )
  t.match(await job.state(), { script: 5 })

  const mute = await prepare(t, await make('mute.mp4', ...picture('320x240'), ...h264), 'mp4')
  await mute.encode({ video_id: (await mute.upload()).video_id }, { signal: never })
  t.notOk((await mute.keys()).some((key) => key.includes('audio_')))
})

t.test('an attempt that lost its lease commits nothing', async (t) => {
  const job = await prepare(t, join(folder, 'turned.mp4'), 'mp4')
  const { video_id, path } = await job.upload()
  const first = job.encode({ video_id }, { signal: never })
  while ((await job.state()).videos[0]?.state !== 'encoding') await new Promise((resolve) => setTimeout(resolve, 5))
  await job.db.update(videos).set({ leaseUntil: null }).where(eq(videos.id, video_id))
  const second = job.encode({ video_id }, { signal: never })
  await Promise.all([first, second])
  t.match(await job.state(), { encoding: 3, videos: [{ state: 'encoded', attempt: 2 }] })
  const made = ['1.mp4', 'encoded_1-2.mp4', 'audio_1-2.m4a'].map((name) => `video/${path.replace('1.mp4', name)}`)
  t.strictSame(await job.keys(), made.sort())
})

t.test('a closing worker gives its job back at once', async (t) => {
  const job = await prepare(t, join(folder, '4k.mp4'), 'mp4')
  const { video_id } = await job.upload()
  const stop = new AbortController()
  const encoding = job.encode({ video_id }, { signal: stop.signal })
  while ((await job.state()).videos[0]?.state !== 'encoding') await new Promise((resolve) => setTimeout(resolve, 5))
  stop.abort()
  await t.rejects(encoding)
  t.strictSame(await readdir(job.scratchDirectory), [])
  await job.encode({ video_id }, { signal: never })
  t.match(await job.state(), { encoding: 3, videos: [{ state: 'encoded', attempt: 2 }] })
})

t.test('a newer recording makes the encode of an older one superfluous', async (t) => {
  const job = await prepare(t, join(folder, 'end.mp4'), 'mp4')
  const older = await job.upload()
  const newer = await job.upload()
  await job.encode({ video_id: older.video_id }, { signal: never })
  await job.encode({ video_id: newer.video_id }, { signal: never })
  t.match(await job.state(), { encoding: 3, videos: [{ state: 'superseded' }, { state: 'encoded' }] })
})

t.test('a session deleted with its objects while its recording is encoded is no failure', async (t) => {
  const job = await prepare(t, join(folder, '4k.mp4'), 'mp4')
  const { video_id, path } = await job.upload()
  const encoding = job.encode({ video_id }, { signal: never })
  while ((await job.state()).videos[0]?.state !== 'encoding') await new Promise((resolve) => setTimeout(resolve, 1))
  // In the order of an erasure.
  await job.db.delete(sessions)
  await job.store.delete([`video/${path}`])
  await encoding
  t.strictSame(await job.keys(), [])
})

t.test('a newer recording breaks off the encode of an older one, which then waits for its removal', async (t) => {
  const job = await prepare(t, join(folder, '4k.mp4'), 'mp4')
  const older = await job.upload()
  const encoding = job.encode({ video_id: older.video_id }, { signal: never })
  while ((await job.state()).videos[0]?.state !== 'encoding') await new Promise((resolve) => setTimeout(resolve, 5))
  await job.upload()
  await encoding
  t.match(await job.state(), { encoding: 1, videos: [{ state: 'superseded' }, { state: 'stored' }] })
  t.match(await job.db.select().from(outbox), [{ name: 'delete-superseded' }])
})

t.test('a session deleted meanwhile gets no object back', async (t) => {
  const job = await prepare(t, join(folder, 'turned.mp4'), 'mp4')
  const { video_id, path } = await job.upload()
  const encoding = job.encode({ video_id }, { signal: never })
  while ((await job.state()).videos[0]?.state !== 'encoding') await new Promise((resolve) => setTimeout(resolve, 5))
  await job.db.delete(sessions)
  await encoding
  t.strictSame(await job.keys(), [`video/${path}`], 'the original is for the erasure; nothing else came')
  t.equal(await job.fail({ video_id }, 'because'), false, 'nobody needs to hear of its failure')
})

t.test('a session deleted while the sound is stored gets no object back', async (t) => {
  let beforeSound = async (_signal: AbortSignal) => {}
  const around = (store: ObjectStore): ObjectStore => ({
    ...store,
    async put(key, body, options) {
      if (key.includes('audio_') && options.signal) await beforeSound(options.signal)
      return store.put(key, body, options)
    },
  })
  const job = await prepare(t, join(folder, 'turned.mp4'), 'mp4', { around })
  beforeSound = async (signal) => {
    await job.db.delete(sessions)
    await once(signal, 'abort')
  }
  const { video_id, path } = await job.upload()
  await job.encode({ video_id }, { signal: never })
  t.strictSame(await job.keys(), [`video/${path}`])
})
