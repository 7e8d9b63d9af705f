import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Container } from '@playtherapy/schema'
import { failedByInput, type Input, startBounded } from './bounded.ts'
import { cpuSecondsForLength, cpuSecondsForSize, pictureLimit, type threadsFor } from './limits.ts'
import { demuxer } from './probe.ts'
import type { ScratchFile } from './scratch.ts'

export interface FfmpegRun {
  ffmpegPath: string
  input: Input
  /** Bytes of the input. */
  size: number
  container: Container
  /** Second at which to begin, by the time stamps of the input. */
  from?: number
  /** How often the input is opened, see sound.ts; once by default. */
  inputs?: number
  /** Options and file of each output, see plan.ts. */
  outputs: { options: string[]; file: ScratchFile }[]
  threads: Pick<ReturnType<typeof threadsFor>, 'decoder' | 'filter'>
  /** Length of the source, for the progress; undefined if unknown. */
  seconds: number | undefined
  /** Kills an ffmpeg without progress for so long. */
  stallSeconds: number
  /** Kills an ffmpeg that writes a larger file. */
  maxBytes: number
  /** Kills an ffmpeg whose result becomes longer. */
  maxSeconds: number
  memoryBytes: number
  signal: AbortSignal
  /** Gets the percentage whenever ffmpeg reports progress. */
  onProgress(percent: number): void
}

/**
 * Why ffmpeg ended without a result. Because of its input: it reported an error or crashed (`unreadable`), or exceeded
 * a bound (`too …`). Or for other reasons: it made no progress (`stalled`), the scratch disk is full, another process such
 * as the kernel killed it, or our signal did (`aborted`).
 */
type InputReason = 'unreadable' | 'too large' | 'too long' | 'too much memory' | 'too much work'
type Why = InputReason | 'stalled' | 'disk full' | 'killed' | 'aborted'

export class FfmpegError extends Error {
  override name = 'FfmpegError'
  readonly why: Why
  constructor(why: Why) {
    super(`ffmpeg: ${why}`)
    this.why = why
  }
}

/** Bytes of ffmpeg's error output that are kept to find the reason. It may contain a path, so it is never logged. */
const errorBytes = 4_096
/** Pause between two readings of the CPU time. */
const readCpuMs = 1_000
/** CPU seconds by which the system's limit is above ours, which is checked only once a second. */
const marginSeconds = 30

/** CPU seconds that a process has used so far; 0 where the system has no /proc. */
async function cpuSecondsOf(pid: number | undefined): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // The name before it may contain spaces. These fields are utime and stime of proc(5), in hundredths of a second.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / 100
}

function whyEnded(errorOutput: string, code: number | null, signal: string | null): Why {
  if (/No space left on device|Disk quota exceeded/i.test(errorOutput)) return 'disk full'
  if (signal === 'SIGXFSZ') return 'too large'
  if (signal === 'SIGXCPU') return 'too much work'
  if (!failedByInput(code, signal)) return 'killed'
  return /Cannot allocate memory|malloc of size|bad_alloc/i.test(errorOutput) ? 'too much memory' : 'unreadable'
}

/** Runs ffmpeg from its input to scratch files, within bounds. Throws FfmpegError. */
export async function runFfmpeg(run: FfmpegRun): Promise<void> {
  if (run.signal.aborted) throw new FfmpegError('aborted')
  const { input, inputs = 1, threads } = run
  const quiet = ['-nostdin', '-hide_banner', '-loglevel', 'error', '-y', '-progress', 'pipe:1']
  const seek = run.from === undefined ? [] : ['-seek_timestamp', '1', '-ss', `${run.from}`]
  const decoding = [...pictureLimit, '-threads', String(threads.decoder)]
  // A track that begins long after the others is no jump of the clock.
  const late = inputs > 1 ? ['-dts_delta_threshold', '100000'] : []
  const access = ['-protocol_whitelist', 'http,tcp', '-f', demuxer[run.container], '-i', input.path]
  const opened = Array.from({ length: inputs }, () => [...seek, ...decoding, ...access]).flat()
  const outputs = run.outputs.flatMap(({ options, file }, index) => [...options, file.pathFor(3 + index)])
  const args = [...quiet, '-filter_threads', String(threads.filter), ...late, ...opened, ...outputs]
  const mostCpuSeconds = cpuSecondsForSize(run.size)
  const bounds = { memoryBytes: run.memoryBytes, cpuSeconds: mostCpuSeconds + marginSeconds, fileBytes: run.maxBytes }
  const { child, stdout, stderr } = startBounded(run.ffmpegPath, args, bounds, {
    ...input,
    files: run.outputs.map(({ file }) => file.handle),
  })
  let why: Why | undefined
  const kill = (reason: Why) => {
    why ??= reason
    child.kill('SIGKILL')
  }
  const abort = () => kill('aborted')
  run.signal.addEventListener('abort', abort, { once: true })

  let errorOutput = ''
  stderr.on('data', (text) => {
    errorOutput = (errorOutput + text).slice(-errorBytes)
  })
  let stalled = setTimeout(kill, run.stallSeconds * 1000, 'stalled')
  let written = 0
  const position = new Map<string, string>()
  createInterface({ input: stdout }).on('line', (line) => {
    const [key = '', value = ''] = line.split('=', 2)
    // Only a change of time or bytes is progress: ffmpeg also reports without any.
    if ((key === 'out_time_ms' || key === 'total_size') && position.get(key) !== value) {
      position.set(key, value)
      clearTimeout(stalled)
      stalled = setTimeout(kill, run.stallSeconds * 1000, 'stalled')
    }
    // Microseconds, despite the name.
    if (key !== 'out_time_ms' || !(Number(value) > 0)) return
    written = Number(value) / 1_000_000
    if (written > run.maxSeconds) kill('too long')
    if (run.seconds) run.onProgress(Math.min(99, Math.floor((written / run.seconds) * 100)))
  })
  const working = setInterval(async () => {
    const used = await cpuSecondsOf(child.pid)
    if (used > Math.min(mostCpuSeconds, cpuSecondsForLength(written))) kill('too much work')
  }, readCpuMs)
  try {
    const [code, signal] = await once(child, 'close')
    if (why || code !== 0) throw new FfmpegError(why ?? whyEnded(errorOutput, code, signal))
  } finally {
    clearInterval(working)
    clearTimeout(stalled)
    run.signal.removeEventListener('abort', abort)
  }
}
