/** ffmpeg's demuxer of HLS, which many players are built on, follows a recording while the worker encodes it. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from '@playtherapy/testing'
import t from 'tap'
import { recordingPlace } from './recording-place.ts'

const run = promisify(execFile)

/** Makes a recording that has to be transcoded, in chunks and two rungs, with a tone that ends early. */
async function film(seconds: number, rate: number): Promise<Uint8Array<ArrayBuffer>> {
  const folder = await mkdtemp(join(tmpdir(), 'playtherapy-film-'))
  const file = join(folder, 'film.mp4')
  await run('ffmpeg', [
    ...['-loglevel', 'error', '-f', 'lavfi', '-i', `testsrc2=size=1000x500:rate=${rate}:duration=${seconds}`],
    ...['-f', 'lavfi', '-i', `sine=duration=${seconds / 5}`, '-c:a', 'aac'],
    ...['-c:v', 'mpeg4', '-q:v', '8', '-g', `${rate}`, file],
  ])
  const bytes = Uint8Array.from(await readFile(file))
  await rm(folder, { recursive: true })
  return bytes
}

/** Reads a playlist to its end, and returns the times of all packets in seconds, of the picture and of the sound. */
async function packetsOf(url: string): Promise<[picture: number[], sound: number[]]> {
  const { stdout } = await run(
    'ffmpeg',
    [
      ...['-loglevel', 'error', '-live_start_index', '0', '-i', url, '-map', '0:v:0', '-map', '0:a:0'],
      ...['-c', 'copy', '-f', 'framecrc', '-'],
    ],
    { maxBuffer: 64 * 1024 ** 2 },
  )
  const ticks = new Map([...stdout.matchAll(/^#tb (\d): 1\/(\d+)$/gm)].map(([, stream, of]) => [stream, Number(of)]))
  const rows = [...stdout.matchAll(/^(\d), +-?\d+, +(-?\d+),/gm)]
  const timesOf = (wanted: string) =>
    rows.filter(([, stream]) => stream === wanted).map(([, , pts]) => Number(pts) / (ticks.get(wanted) ?? 1))
  return [timesOf('0'), timesOf('1')]
}

t.test('a recording is read to its end while it is encoded, and the same when it is finished', async (t) => {
  const place = await recordingPlace(t)
  const session = await place.addSession()
  const [seconds, rate] = [70, 5]
  t.match(await place.upload(session, await film(seconds, rate)), [201])
  place.startWorker()
  const link = async () => {
    const [, answer] = await place.call('POST', `${session}/playback`)
    return Object(answer)
  }
  const { hls } = await until('the first chunk', link, ({ hls }) => typeof hls === 'string')
  const url = place.host.url + hls
  const state = await place.call('GET', `${session}/video/state`)
  t.match(state, [200, { playable: true }])
  const growing = await packetsOf(url)
  await place.encoded(session)
  const finished = await packetsOf(url)
  t.same(growing, finished)
  const [picture, sound] = finished
  t.equal(picture.length, seconds * rate, 'every frame, once')
  for (const [index, time] of picture.entries()) {
    if (Math.abs(time - index / rate) > 0.001) t.fail(`frame ${index} is at ${time} s`)
  }
  t.ok(Math.abs((sound.at(-1) ?? 0) - seconds) < 0.3, `silence follows until ${sound.at(-1)} s`)
  for (const [index, time] of sound.entries()) {
    const pause = time - (sound[index - 1] ?? 0)
    if (pause > 0.03) t.fail(`a gap of ${pause} s in the sound at ${time} s`)
  }

  const main = await (await fetch(url)).text()
  t.match(main, /RESOLUTION=960x480[\s\S]*RESOLUTION=1000x500/)
  t.match(await place.call('GET', `${session}/video/state`), [200, { seconds_left: 0, progress: 100 }])
  t.match((await link()).mp4, 'video.mp4')
})
