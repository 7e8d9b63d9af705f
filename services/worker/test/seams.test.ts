import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { longestSegmentSeconds } from '../src/encode/longest-segment.ts'
import { toSegments } from '../src/ffmpeg/fragments.ts'
import { aac, folder, h264, make, turned } from './encode-support.ts'
import { changesIn, chunksOf, finished, type MadeFile, makeChunk, planned, seamless, timesIn } from './seams-support.ts'

/** A picture whose every frame differs from the others in all of its large squares, so that none can stand for another. */
const squares = (rate: number | string, seconds: number, size = '160x120') => [
  ...['-f', 'lavfi', '-i', `nullsrc=size=16x12:rate=${rate}:duration=${seconds},geq=lum='random(1)*255':cb=128:cr=128`],
  ...['-vf', `scale=${size}:flags=neighbor`],
]
const tone = (seconds: number) => ['-f', 'lavfi', '-i', `sine=f=440:d=${seconds}:r=8000`]

t.test('29.97 frames a second with B-frames, of which an edit list hides the first', async (t) => {
  const source = await make('ntsc.mp4', ...squares('30000/1001', 64), ...h264, '-bf', '2', '-g', '45')
  const file = await make('edited.mp4', '-ss', '0.7', '-i', source, '-c', 'copy')
  await seamless(t, file, 'mp4')
})

t.test('60 frames a second, on a clock that begins at an hour', async (t) => {
  const late = ['-output_ts_offset', '3600']
  const file = await make('fast.mkv', ...squares(60, 62, '64x48'), ...h264, '-bf', '2', '-g', '120', ...late)
  const { times } = await seamless(t, file, 'matroska')
  t.equal(times.length, 1_860)
})

t.test('any number of workers end at about the same time', async (t) => {
  const file = await make('even.mp4', ...squares(2, 600, '64x48'), ...h264, '-g', '4')
  const { plan } = await planned(file, 'mp4')
  const lengths = chunksOf(plan, 'picture').map(({ from, to }) => to - from)
  t.ok(Math.max(...lengths) > 25 && lengths.length < 32, `the chunks are of ${lengths.map(Math.round).join(' ')} s`)
  for (const workers of [2, 3, 4]) {
    const ends = Array.from({ length: workers }, () => 0)
    for (const length of lengths) {
      const first = ends.indexOf(Math.min(...ends))
      ends[first] = (ends[first] ?? 0) + length
    }
    const idle = Math.max(...ends) - Math.min(...ends)
    t.ok(idle <= 8, `${workers} workers end within ${idle.toFixed(1)} s of the recording`)
  }
})

t.test('HEVC with an open group, held sideways', async (t) => {
  const hevc = [
    '-c:v',
    'libx265',
    '-preset',
    'ultrafast',
    '-x265-params',
    'open-gop=1:keyint=24:bframes=3:log-level=none',
  ]
  const source = await make('open.mp4', ...squares(12, 62, '96x72'), ...hevc)
  const { plan } = await seamless(t, await turned('sideways.mp4', source), 'mp4')
  t.match(plan, { upper: { width: 72, height: 96 } })
})

t.test('uneven pauses, and rare key frames', async (t) => {
  const shaken = "scale=160:120:flags=neighbor,settb=1/90000,setpts='N*6000+mod(N*7919,3001)+if(gt(N,600),200000,0)'"
  const source = squares(15, 61).slice(0, -2)
  const times = ['-vf', shaken, '-enc_time_base', '1:90000', '-vsync', 'passthrough']
  const file = await make('shaken.mp4', ...source, ...tone(30), ...times, ...h264, '-bf', '3', '-g', '150', ...aac)
  await seamless(t, file, 'mp4')
})

t.test('both rungs of one decode have the same times, also where the lower one is made alone', async (t) => {
  const size = ['-vf', 'scale=1280:720:flags=neighbor,setsar=1']
  const source = [...squares(5, 61).slice(0, -2), ...tone(61)]
  const file = await make('rungs.mkv', ...source, ...size, '-c:v', 'mpeg4', '-q:v', '20', ...aac)
  const recording = await planned(file, 'matroska')
  const { plan } = recording
  t.match(plan, { upper: { width: 1280, height: 720 }, lower: { width: 854, height: 480 }, canCopy: false })
  const [, second] = chunksOf(plan, 'picture')
  if (!second) throw new Error('not cut')
  const { upper, lower } = await makeChunk(recording, plan, second)
  const starts = (made?: MadeFile) => made?.fragments.map(([seconds]) => seconds)
  t.strictSame(starts(lower), starts(upper))
  t.match(lower, { codec: /^avc1.6400/, width: 854, height: 480, firstSeconds: upper?.firstSeconds })
  const alone = await makeChunk(recording, plan, { ...second, kind: 'lower' })
  t.strictSame(await timesIn(alone.lower?.file ?? ''), await timesIn(upper?.file ?? ''))
})

t.test('after two hours, picture and sound of an MP4 of copied rungs are in step', async (t) => {
  const flash = "drawbox=t=fill:color=white:enable='gte(t,7190)'"
  const late = ['-f', 'lavfi', '-itsoffset', '7190', '-i', 'sine=f=440:d=20']
  const picture = ['-f', 'lavfi', '-i', `color=black:size=160x120:rate=2:duration=7210,${flash}`]
  const tags = '-color_primaries bt709 -color_trc bt709 -colorspace bt709'.split(' ')
  const file = await make('long.mp4', ...picture, ...late, ...h264, '-bf', '2', '-g', '8', ...tags, ...aac)
  const recording = await planned(file, 'mp4')
  const { plan } = recording
  t.match(plan, { canCopy: true, lower: undefined })
  const all = { from: 0, to: plan.seconds }
  const { upper } = await makeChunk(recording, plan, { ...all, kind: 'copy' })
  const { sound } = await makeChunk(recording, plan, { ...all, kind: 'sound' })
  t.match(upper, { firstSeconds: 0, frames: 14_420, endSeconds: 7_210, codec: /^avc1/ })
  t.match(sound, { codec: 'mp4a.40.2' })
  t.ok(
    Math.max(...toSegments(upper?.fragments ?? []).map(([seconds]) => seconds)) <=
      longestSegmentSeconds(plan, recording.times),
  )
  const last = chunksOf(plan, 'picture').at(-1)
  if (!last || !upper || !sound) throw new Error('no chunks')
  const { upper: end } = await makeChunk(recording, plan, last)
  t.match(end, { endSeconds: 7_210, frames: Math.round(7_210 - last.from) * 2 })
  const { white, loud } = await changesIn(await finished(recording, upper, sound))
  t.equal(white, 7_190)
  t.ok(Math.abs(loud - white) < 0.02, `it is white at ${white} and loud at ${loud}`)
})

t.test('where the clock of a transport stream starts again, picture and sound made apart stay in step', async (t) => {
  const part = (name: string, from: number, flash: string, tone: string, seconds: number) =>
    make(
      name,
      ...[
        '-f',
        'lavfi',
        '-i',
        `color=black:size=160x120:rate=25:duration=6,drawbox=t=fill:color=white:enable='${flash}'`,
      ],
      ...['-f', 'lavfi', '-i', `aevalsrc='0.5*sin(2*PI*1000*t)*${tone}':d=${seconds}`],
      ...[...h264, ...aac, '-output_ts_offset', `${from}`],
    )
  // The sound of the first part ends early, so each track by itself would find another length of it.
  const first = await readFile(await part('first.ts', 5_000, '0', '0', 5.2))
  const second = await readFile(await part('second.ts', 20, 'gte(t,3)', 'gte(t,3)', 6))
  const file = join(folder, 'again.ts')
  await writeFile(file, Buffer.concat([first, second]))
  const recording = await planned(file, 'mpegts')
  const all = { from: 0, to: recording.plan.seconds }
  const { sound } = await makeChunk(recording, recording.plan, { ...all, kind: 'sound' })
  for (const kind of ['picture', 'copy'] as const) {
    const { upper } = await makeChunk(recording, recording.plan, { ...all, kind })
    if (!upper || !sound) throw new Error('no rung')
    const { white, loud } = await changesIn(await finished(recording, upper, sound))
    t.ok(Math.abs(white - 9) < 0.1 && Math.abs(loud - white) < 0.02, `${kind}: white at ${white}, loud at ${loud}`)
  }
})
