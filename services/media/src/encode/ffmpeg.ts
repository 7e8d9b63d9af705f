import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type Container, demuxer } from './probe.ts'

export interface FfmpegRun {
  ffmpegPath: string
  url: string
  container: Container
  /** Second at which to begin. */
  from?: number
  /** Output options and file of each output, see plan.ts. */
  outputs: { options: string[]; file: string }[]
  /** Length of the source, where it is known: what progress is measured against. */
  seconds: number | undefined
  /** Kills an ffmpeg that has not moved for so long. */
  stallSeconds: number
  /** Kills an ffmpeg that writes more. */
  maxBytes: number
  signal: AbortSignal
  /** Percent done, as often as ffmpeg says so. */
  onProgress(percent: number): void
}

/** ffmpeg ended without a result. `why`: its own exit, no progress, too much output, or our signal. */
export class FfmpegError extends Error {
  override name = 'FfmpegError'
  readonly why: 'exit' | 'stalled' | 'too large' | 'aborted'
  /** The disk of the scratch folder is full. */
  readonly diskFull: boolean
  /** Somebody else killed it, such as a kernel short of memory. */
  readonly killed: boolean
  constructor(why: FfmpegError['why'], { diskFull = false, killed = false } = {}) {
    super(`ffmpeg: ${why}`)
    this.why = why
    this.diskFull = diskFull
    this.killed = killed
  }
}

/** Bytes of ffmpeg's complaints that are kept to look at; they can hold a path, so they are never logged. */
const tail = 4_096

/**
 * Runs ffmpeg from the loopback source to a scratch file. It gets a process group of its own, so that a terminal's
 * Ctrl-C does not reach it, and ends by our hand, or because its source is gone when we die. Throws FfmpegError.
 */
export async function runFfmpeg(run: FfmpegRun): Promise<void> {
  if (run.signal.aborted) throw new FfmpegError('aborted')
  const seek = run.from ? ['-ss', `${run.from}`] : []
  const input = [...seek, '-protocol_whitelist', 'http,tcp', '-f', demuxer[run.container], '-i', run.url]
  const quiet = ['-nostdin', '-hide_banner', '-loglevel', 'error', '-y', '-progress', 'pipe:1']
  const outputs = run.outputs.flatMap(({ options, file }) => [...options, file])
  const child = spawn(run.ffmpegPath, [...quiet, ...input, ...outputs], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let why: FfmpegError['why'] = 'exit'
  const kill = (reason: FfmpegError['why']) => {
    why = reason
    child.kill('SIGKILL')
  }
  const abort = () => kill('aborted')
  run.signal.addEventListener('abort', abort, { once: true })

  let complaints = ''
  child.stderr.on('data', (text) => {
    complaints = (complaints + text).slice(-tail)
  })
  let watchdog = setTimeout(kill, run.stallSeconds * 1000, 'stalled')
  const position = new Map<string, string>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [key = '', value = ''] = line.split('=', 2)
    // Movement is time or bytes; the report itself comes whether or not anything moves.
    if ((key === 'out_time_ms' || key === 'total_size') && position.get(key) !== value) {
      position.set(key, value)
      clearTimeout(watchdog)
      watchdog = setTimeout(kill, run.stallSeconds * 1000, 'stalled')
    }
    if (key === 'total_size' && Number(value) > run.maxBytes) kill('too large')
    // Microseconds, despite the name.
    if (key === 'out_time_ms' && run.seconds && Number(value) > 0) {
      run.onProgress(Math.min(99, Math.floor(Number(value) / 10_000 / run.seconds)))
    }
  })
  try {
    const [code] = await once(child, 'close')
    if (code !== 0 || why !== 'exit') {
      throw new FfmpegError(why, { diskFull: /No space left on device/i.test(complaints), killed: code === null })
    }
  } finally {
    clearTimeout(watchdog)
    run.signal.removeEventListener('abort', abort)
  }
}
