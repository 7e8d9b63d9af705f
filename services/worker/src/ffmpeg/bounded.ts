import { type ChildProcess, spawn } from 'node:child_process'
import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'

/** The input of ffmpeg or ffprobe. */
export interface Input {
  /** Every user of the machine can read it on the command line, so it must hold no secret. */
  path: string
  /** Environment of the process; only its own user can read it. */
  env?: Record<string, string>
  /** Open files that become the descriptors of the process, from 3 on. */
  files?: FileHandle[]
}

/** Resource limits, which the system enforces: a hostile recording cannot exceed them. */
export interface Bounds {
  /** Its own memory in bytes: heap, decoded frames and stacks, without the program's code. */
  memoryBytes: number
  cpuSeconds: number
  /** Largest file it may write, in bytes. */
  fileBytes: number
}

/**
 * Sets the limits, then becomes the program. A copy of the shell waits for the end of standard input, which the worker
 * holds open: when the worker ends in any way, the copy kills the process group, which is the program. A limit that is
 * unknown to the system, or lower already, is skipped. A core dump would contain frames of the recording.
 */
const script = `
ulimit -c 0; ulimit -S -d "$1"; ulimit -S -t "$2"; ulimit -S -f "$3"; shift 3
exec 9<&0 0</dev/null
(read -r _ <&9; kill -KILL 0) >/dev/null 2>&1 &
exec 9<&-
exec "$@"`

interface BoundedProcess {
  child: ChildProcess
  stdout: Readable
  stderr: Readable
}

/**
 * Starts a program within bounds, in a process group of its own, so that Ctrl-C does not reach it. It ends when this
 * process ends. It gets only PATH of our environment, because the rest contains secrets. The exit code is 126 or 127 when
 * the program cannot be started.
 */
export function startBounded(
  program: string,
  args: string[],
  { memoryBytes, cpuSeconds, fileBytes }: Bounds,
  { env = {}, files = [] }: Omit<Input, 'path'>,
): BoundedProcess {
  // The units are those of POSIX and of every Linux shell: KiB, seconds, blocks of 512 bytes.
  const limits = [Math.ceil(memoryBytes / 1024), Math.ceil(cpuSeconds), Math.ceil(fileBytes / 512)]
  const child = spawn('/bin/sh', ['-c', script, 'sh', ...limits.map(String), program, ...args], {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe', ...files.map(({ fd }) => fd)],
    env: { PATH: process.env.PATH, ...env },
  })
  const { stdin, stdout, stderr } = child
  if (!stdin || !stdout || !stderr) throw new Error('a process without its pipes')
  stdin.on('error', () => {})
  child.once('exit', () => stdin.destroy())
  return { child, stdout, stderr }
}

/** Signals that a program causes itself, by a crash or by exceeding a bound. */
const ownSignals = new Set(['SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSEGV', 'SIGSYS', 'SIGTRAP', 'SIGXCPU'])

/**
 * Whether a program failed because of its input. Otherwise it could not be started (126, 127), or another process sent it
 * a signal, after which ffmpeg exits with 255.
 */
export const failedByInput = (code: number | null, signal: string | null): boolean =>
  code === null ? ownSignals.has(signal ?? '') : ![126, 127, 255].includes(code)
