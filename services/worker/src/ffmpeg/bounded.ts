import { type ChildProcess, spawn } from 'node:child_process'
import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'

/** What ffmpeg or ffprobe reads. */
export interface Input {
  /** Stands on the command line, where every user of the machine can read it: it must open nothing by itself. */
  path: string
  /** Environment of the process, which only its own user can read. */
  env?: Record<string, string>
  /** Open files that the process gets as its descriptors from 3 on. */
  files?: FileHandle[]
}

/** What a process may take. The system enforces them, so that a hostile recording cannot. */
export interface Bounds {
  /** Memory of its own, in bytes: heap, decoded frames and stacks, without the program's code. */
  memoryBytes: number
  cpuSeconds: number
  /** Largest file it may write, in bytes. */
  fileBytes: number
}

/**
 * Sets the limits, then becomes the program. A copy of the shell stays behind and waits for the end of standard input,
 * which the worker holds open: when the worker dies, however, the copy kills the process group, which is the program's
 * alone. A limit that the system does not know, or that is lower already, is passed over. No core dump is written: it
 * would hold frames of the recording.
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
 * Starts a program within bounds, in a process group of its own, so that a terminal's Ctrl-C does not reach it. It ends
 * when this process ends. Nothing of our environment goes along but PATH: the rest holds secrets.
 * Exit codes of the shell: 126 and 127, the program cannot be started.
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

/** Signals that a program brings upon itself: by a fault in it, or by exceeding a bound. */
const ownFaults = new Set(['SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSEGV', 'SIGSYS', 'SIGTRAP', 'SIGXCPU'])

/**
 * Whether a program that ended without success did so because of its input. Otherwise it could not be started (126,
 * 127), or somebody else ended it: by a signal, on which ffmpeg exits with 255.
 */
export const isOwnFault = (code: number | null, signal: string | null): boolean =>
  code === null ? ownFaults.has(signal ?? '') : ![126, 127, 255].includes(code)
