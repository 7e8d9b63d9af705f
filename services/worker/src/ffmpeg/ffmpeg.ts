import type { Container } from '@playtherapy/schema'
import type { Input } from './bounded.ts'
import { pictureLimit, type threadsFor } from './limits.ts'
import { accessTo } from './probe.ts'
import type { ScratchFile } from './scratch.ts'
import { FfmpegError, runSupervised, type Supervised } from './supervised.ts'

export interface FfmpegRun
  extends Pick<Supervised, 'size' | 'stallSeconds' | 'maxSeconds' | 'maxBytes' | 'memoryBytes' | 'signal'> {
  ffmpegPath: string
  input: Input
  container: Container
  /** Second at which to begin, by the time stamps of the input. */
  from?: number
  /** Decodes only the key frames of the picture. */
  keyFramesOnly?: boolean
  /** Reads the input once, from beginning to end; otherwise ffmpeg seeks twice in each fragment of a fragmented MP4. */
  isStream?: boolean
  /** A second input, which has the same container. */
  other?: Input
  /** Whether time stamps are kept. Otherwise ffmpeg subtracts the input's beginning and follows a clock that starts again. */
  keepsClock?: boolean
  /** Second of the input's clock from whose key frame on to read all frames, which the filters then select. */
  seek?: number | undefined
  /** Filters of several outputs, which map its results. */
  graph?: string | undefined
  /** Options and file of each output, see chunk-options.ts. */
  outputs: { options: string[]; file: ScratchFile }[]
  threads: Pick<ReturnType<typeof threadsFor>, 'decoder' | 'filter'>
  /** Length of what is made, for the progress; undefined if unknown. */
  seconds: number | undefined
  /** Second at which it begins on its own clock, 0 by default. */
  begin?: number
  /** Gets the percentage whenever ffmpeg reports progress. */
  onProgress(percent: number): void
}

/** Runs ffmpeg from its input to scratch files, within bounds. Throws FfmpegError. */
export async function runFfmpeg(run: FfmpegRun): Promise<void> {
  const { input, threads } = run
  const quiet = ['-nostdin', '-hide_banner', '-loglevel', 'error', '-y', '-progress', 'pipe:1']
  const filterThreads = String(threads.filter)
  const filters = run.graph ? ['-filter_complex_threads', filterThreads, '-filter_complex', run.graph] : []
  const first = run.seek ?? run.from
  const seek = [
    ...(run.seek === undefined ? [] : ['-noaccurate_seek']),
    ...(first === undefined ? [] : ['-seek_timestamp', '1', '-ss', `${first}`]),
  ]
  // What cannot be decoded is left out, however much it is.
  const lenient = ['-max_error_rate', '1']
  const keyFrames = run.keyFramesOnly ? ['-skip_frame', 'nokey'] : []
  const once = run.isStream ? ['-seekable', '0'] : []
  const decoding = [...once, ...keyFrames, ...pictureLimit, '-threads', String(threads.decoder)]
  const inputs = [input, ...(run.other ? [run.other] : [])]
  // Of several inputs, ffmpeg 5 reads each in a thread, and sleeps for 10 ms whenever one that cannot seek has not read on.
  const inTurn = run.other ? ['-thread_queue_size', '0'] : []
  const opened = inputs.flatMap((one) => [...seek, ...decoding, ...inTurn, ...accessTo(one, run.container)])
  const read = [...(input.files ?? []), ...(run.other?.files ?? [])]
  const outputs = run.outputs.flatMap(({ options, file }, index) => [...options, file.pathFor(3 + read.length + index)])
  let written = 0
  const position = new Map<string, string>()
  const errors = await runSupervised({
    ...run,
    program: run.ffmpegPath,
    args: [
      ...[...quiet, '-filter_threads', filterThreads, ...lenient, ...(run.keepsClock ? ['-copyts'] : [])],
      ...[...opened, ...filters, ...outputs],
    ],
    input: { ...input, files: [...read, ...run.outputs.map(({ file }) => file.handle)] },
    onLine(line) {
      const [key = '', value = ''] = line.split('=', 2)
      // Only a change of time or bytes is progress: ffmpeg also reports without any.
      if ((key !== 'out_time_ms' && key !== 'total_size') || position.get(key) === value) return undefined
      position.set(key, value)
      if (key === 'out_time_ms' && Number(value) > 0) {
        // Microseconds, despite the name.
        written = Number(value) / 1_000_000
        const done = written - (run.begin ?? 0)
        if (run.seconds) run.onProgress(Math.max(0, Math.min(99, Math.floor((done / run.seconds) * 100))))
      }
      return written
    },
  })
  // Then ffmpeg leaves silence out and reports success.
  if (/Failed to compensate for timestamp/.test(errors)) throw new FfmpegError('long gap')
}
