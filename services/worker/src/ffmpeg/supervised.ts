import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { inSpan } from '@playtherapy/tracing'
import { failedByInput, type Input, startBounded } from './bounded.ts'
import { cpuSecondsForLength, cpuSecondsForSize } from './limits.ts'

/**
 * Why ffmpeg or ffprobe ended without a result. Because of its input: it reported an error or crashed (`unreadable`), or
 * exceeded a bound (`too …`), or has a gap in its sound whose silence does not fit into memory (`long gap`). Or for other reasons: it made no progress (`stalled`), the scratch disk is full, another
 * process such as the kernel killed it, or our signal did (`aborted`).
 */
type InputReason = 'unreadable' | 'too large' | 'too long' | 'too much memory' | 'too much work' | 'long gap'
type Why = InputReason | 'stalled' | 'disk full' | 'killed' | 'aborted'

export class FfmpegError extends Error {
  override name = 'FfmpegError'
  readonly why: Why
  constructor(why: Why) {
    super(`ffmpeg: ${why}`)
    this.why = why
  }
}

export interface Supervised {
  program: string
  args: string[]
  input: Omit<Input, 'path'>
  /** Bytes of the recording: a larger one may take more CPU time. */
  size: number
  /** Kills a program without progress for so long. */
  stallSeconds: number
  /** Kills a program that gets further in the recording. */
  maxSeconds: number
  /** Kills a program that writes a larger file. */
  maxBytes: number
  memoryBytes: number
  signal: AbortSignal
  /** Gets each line of the output. Returns the second of the recording that is reached, if the line shows progress. */
  onLine(line: string): number | undefined
}

/** Bytes of the error output that are kept to find the reason. It may contain a path, so it is never logged. */
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

const diskFull = /No space left on device|Disk quota exceeded/i

function whyEnded(errorOutput: string, code: number | null, signal: string | null): Why {
  if (diskFull.test(errorOutput)) return 'disk full'
  if (signal === 'SIGXFSZ') return 'too large'
  if (signal === 'SIGXCPU') return 'too much work'
  // An ffmpeg that was built without a filter is no fault of the recording.
  if (!failedByInput(code, signal) || /No such filter/.test(errorOutput)) return 'killed'
  return /Cannot allocate memory|malloc of size|bad_alloc/i.test(errorOutput) ? 'too much memory' : 'unreadable'
}

/** Runs ffmpeg or ffprobe over a recording, within bounds. Returns the end of its error output. Throws FfmpegError. */
export const runSupervised = (run: Supervised): Promise<string> =>
  inSpan(
    { name: run.program.includes('ffprobe') ? 'ffprobe' : 'ffmpeg' },
    () => supervise(run),
    // Who has found what it looked for ends the program.
    () => !run.signal.aborted,
  )

async function supervise(run: Supervised): Promise<string> {
  if (run.signal.aborted) throw new FfmpegError('aborted')
  const mostCpuSeconds = cpuSecondsForSize(run.size)
  const bounds = { memoryBytes: run.memoryBytes, cpuSeconds: mostCpuSeconds + marginSeconds, fileBytes: run.maxBytes }
  const { child, stdout, stderr } = startBounded(run.program, run.args, bounds, run.input)
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
  const stalled = setTimeout(kill, run.stallSeconds * 1000, 'stalled')
  let reached = 0
  createInterface({ input: stdout }).on('line', (line) => {
    const second = run.onLine(line)
    if (second === undefined) return
    stalled.refresh()
    reached = Math.max(reached, second)
    if (reached > run.maxSeconds) kill('too long')
  })
  const working = setInterval(async () => {
    const used = await cpuSecondsOf(child.pid)
    if (used > Math.min(mostCpuSeconds, cpuSecondsForLength(reached))) kill('too much work')
  }, readCpuMs)
  try {
    const [code, signal] = await once(child, 'close')
    // ffmpeg may report success although it could not write all fragments.
    if (why || code !== 0 || diskFull.test(errorOutput))
      throw new FfmpegError(why ?? whyEnded(errorOutput, code, signal))
    return errorOutput
  } finally {
    clearInterval(working)
    clearTimeout(stalled)
    run.signal.removeEventListener('abort', abort)
  }
}
