import { once } from 'node:events'
import { startBounded } from './bounded.ts'

/** For so long a success counts; then the programs are tried once more, while the last result still counts. */
const goodMs = 300_000
/** A failure counts for so long. */
const badMs = 10_000
/** Longest time of a trial, on a machine whose cores are busy with encodes. */
const trialMs = 30_000
/** Bounds of a trial: it converts one small picture. */
const [cpuSeconds, outputBytes] = [10, 65_536]

interface Programs {
  ffmpegPath: string
  ffprobePath: string
  memoryBytes: number
}

/** A black picture and a moment of silence, made of zeros, so that no file is needed. */
const picture = ['-f', 'rawvideo', '-video_size', '64x64', '-pixel_format', 'yuv420p', '-i', '/dev/zero']
const sound = ['-f', 's16le', '-ar', '48000', '-ac', '1', '-i', '/dev/zero']
/** The filters that HDR needs, which not every ffmpeg has. */
const filters =
  'setparams=range=tv:colorspace=bt2020nc:color_primaries=bt2020:color_trc=arib-std-b67,' +
  'zscale=t=linear:npl=203,format=gbrpf32le,tonemap=mobius,zscale=p=bt709:t=bt709:m=bt709:r=tv,format=yuv420p'
const encoders = ['-vf', filters, '-frames:v', '1', '-t', '0.1', '-threads', '1', '-c:v', 'libx264', '-c:a', 'aac']

/** Runs a program within bounds and returns its output. Throws unless it succeeds in time. */
async function run(program: string, path: string, args: string[], memoryBytes: number): Promise<Buffer> {
  const { child, stdout, stderr } = startBounded(path, args, { memoryBytes, cpuSeconds, fileBytes: 0 }, {})
  const late = setTimeout(() => child.kill('SIGKILL'), trialMs)
  const chunks: Buffer[] = []
  let bytes = 0
  stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > outputBytes) child.kill('SIGKILL')
    else chunks.push(chunk)
  })
  stderr.resume()
  const [code] = await once(child, 'close')
  clearTimeout(late)
  if (code === 127) throw new Error(`${program} is not installed at its path`)
  if (code === 126) throw new Error(`${program} cannot be started`)
  if (code !== 0) throw new Error(`${program} does not work`)
  return Buffer.concat(chunks)
}

/** Encodes a picture and a sound as an encode does, and lets ffprobe describe a picture. */
async function tryPrograms({ ffmpegPath, ffprobePath, memoryBytes }: Programs): Promise<void> {
  const quiet = ['-nostdin', '-v', 'error']
  const made = await run(
    'ffmpeg',
    ffmpegPath,
    [...quiet, ...picture, ...sound, ...encoders, '-f', 'matroska', 'pipe:1'],
    memoryBytes,
  )
  // The first bytes of every Matroska file (RFC 8794).
  if (made.subarray(0, 4).toString('hex') !== '1a45dfa3') throw new Error('ffmpeg does not encode')
  const described = await run('ffprobe', ffprobePath, ['-v', 'error', '-show_streams', ...picture], memoryBytes)
  if (!described.includes('codec_name=rawvideo')) throw new Error('ffprobe does not describe')
}

/**
 * Returns a check for readiness: it rejects while ffmpeg cannot encode or ffprobe cannot describe. The programs are not
 * started for each probe: a result is kept, and while a good one is renewed it still counts.
 */
export function checkPrograms(programs: Programs): () => Promise<void> {
  let known: { until: number; error?: unknown } | undefined
  let trying: Promise<void> | undefined
  const tryAgain = () => {
    trying ??= tryPrograms(programs)
      .then(
        () => {
          known = { until: performance.now() + goodMs }
        },
        (error: unknown) => {
          known = { until: performance.now() + badMs, error }
        },
      )
      .finally(() => {
        trying = undefined
      })
    return trying
  }
  return async () => {
    const isOver = !known || performance.now() > known.until
    if (isOver) {
      const trial = tryAgain()
      if (!known || known.error) await trial
    }
    if (known?.error) throw known.error
  }
}
