import { execFile } from 'node:child_process'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import type { Container } from '@playtherapy/schema'
import { startProvider } from '@playtherapy/testing/provider'
import type { Test } from 'tap'
import { createTranscribeVideo } from '../src/transcribe/transcribe-video.ts'
import { aac, folder, h264, make, never, prepare } from './encode-support.ts'

const run = promisify(execFile)

/** Seconds at which the picture of a marked film flashes and its sound beeps. */
export const marks = [1, 4, 7, 12]
const on = marks.map((at) => `between(t,${at},${at + 0.2})`).join('+')
export const beeping = `0.5*sin(2*PI*1000*t)*(${on})`

/** The marked picture and sound of 15 s, as inputs of ffmpeg. */
export const markedPicture = [
  ...['-f', 'lavfi', '-i', `color=black:size=160x120:rate=25:duration=15,drawbox=color=white:t=fill:enable='${on}'`],
]
export const markedSound = (channels = [beeping, beeping], rate = 48_000) => [
  ...['-f', 'lavfi', '-i', `aevalsrc='${channels.join('|')}':duration=15:sample_rate=${rate}`],
]

/** The marked film as a camera makes it; other films are made of its packets. */
export const film = () => make('film.mp4', ...markedPicture, ...markedSound(), ...h264, '-g', '25', ...aac)

/** Seconds at which a picture turns white, by the time stamps of its frames. */
async function flashesIn(file: string): Promise<number[]> {
  const white = ['-copyts', '-i', file, '-map', '0:v', '-vf', 'negate,blackdetect=d=0.05:pix_th=0.2', '-f', 'null', '-']
  const { stderr } = await run('ffmpeg', ['-hide_banner', '-nostats', ...white])
  return [...stderr.matchAll(/black_start:([\d.]+)/g)].map(([, at]) => Number(at))
}

/**
 * Seconds at which a file beeps in its first channel for one who plays it: from the start that the file states, sample
 * after sample, as browsers and transcribers do, and not by time stamps.
 */
async function beepsIn(file: string): Promise<number[]> {
  const entry = ['-v', 'error', '-select_streams', 'a', '-show_entries', 'stream=start_time', '-of', 'csv=p=0']
  const start = Number((await run('ffprobe', [...entry, file])).stdout) || 0
  const samples = ['-map', '0:a', '-af', 'pan=mono|c0=c0', '-ar', '8000', '-f', 's16le', '-']
  const options = { encoding: 'buffer', maxBuffer: 64 * 1024 ** 2 } as const
  const { stdout } = await run('ffmpeg', ['-v', 'error', '-i', file, ...samples], options)
  const beeps: number[] = []
  let quietSince = -1
  for (let n = 0; n < stdout.length / 2; n++) {
    const at = n / 8_000
    if (Math.abs(stdout.readInt16LE(n * 2)) < 1_600) continue
    if (at - quietSince > 0.1) beeps.push(start + at)
    quietSince = at
  }
  return beeps
}

const toSeconds = (clock: string) => clock.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)

/** Encodes a recording and lets a transcriber write down each beep. Returns where a person sees, hears and reads them. */
export async function seenAndHeard(t: Test, file: string, container: Container) {
  const job = await prepare(t, file, container)
  const { video_id } = await job.upload()
  await job.encode({ video_id }, { signal: never })
  const place = await mkdtemp(join(folder, 'heard-'))
  const save = async (name: string, bytes: Buffer) => {
    await writeFile(join(place, name), bytes)
    return join(place, name)
  }
  const { transcriber, bodies } = await startProvider(t, async (response, request) => {
    const { 'content-type': type = '' } = request.headers
    // A client of another test may still look for the server that had this port before.
    if (!type.startsWith('multipart/form-data')) return void response.writeHead(404).end()
    const form = await new Response(bodies.at(-1), { headers: { 'content-type': type } }).formData()
    const sound = form.get('file')
    const bytes = sound instanceof Blob ? Buffer.from(await sound.arrayBuffer()) : Buffer.alloc(0)
    const beeps = await beepsIn(await save('piece.flac', bytes))
    response.end(JSON.stringify({ segments: beeps.map((at) => ({ start: at, end: at + 0.2, text: 'beep' })) }))
  })
  const settings = { scratchDirectory: place, stallSeconds: 20, ffmpegPath: 'ffmpeg' }
  const { db, store } = job
  await createTranscribeVideo({ db, store, phase: 'LOCAL', transcriber, settings })({ video_id }, { signal: never })
  const { audio, bytes } = await job.result()
  const rendition = await save('rendition.mp4', bytes)
  const keys: string[] = []
  for await (const { key } of store.list('script/')) keys.push(key)
  const { scripts = [] }: { scripts?: { start_time: string }[] } = keys[0]
    ? JSON.parse(await text(await store.get(keys[0])))
    : {}
  return {
    flashes: await flashesIn(rendition),
    rendition: audio ? await beepsIn(rendition) : [],
    script: scripts.map(({ start_time }) => toSeconds(start_time)),
  }
}
