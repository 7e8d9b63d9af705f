import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { nodeOptions, type Program } from '@playtherapy/programs'
import type { Cgroup } from './cgroup.ts'
import { request } from './client.ts'
import type { Container } from './compose.ts'

/** A process has to be ready within this time. */
const startMs = 60_000

/** One of our programs, which runs inside the limits of its container. */
export interface LimitedProcess {
  name: string
  url: string
  memoryBytes: number
  cgroup: Cgroup
  /** Returns the process id of the program itself, not of its children. */
  pid(): number
  isAlive(): boolean
  isReady(): Promise<boolean>
  /** Returns the longest event loop delay since the last call, in milliseconds; NaN without a response. */
  loopMs(): Promise<number>
  /** Returns all that it has written. */
  log(): Promise<string>
  /** Returns how many log lines have level error or above. */
  errorLines(): Promise<number>
  /** Starts it again in the same group, as Docker does after a crash. */
  start(): Promise<void>
  stop(): Promise<void>
}

export interface ProcessOptions extends Omit<Container, 'cpus'> {
  name: Program
  /** The container's limits on this machine. */
  cgroup: Cgroup
  /** The bundled program. */
  file: string
  port: number
  logFile: string
}

/** Starts a program inside the limits of its container; resolves when it is ready. */
export async function startLimited(options: ProcessOptions): Promise<LimitedProcess> {
  const { name, cgroup, file, port, logFile, environment, memoryBytes } = options
  const url = `http://127.0.0.1:${port}`
  const log = await open(logFile, 'w')
  const readLog = () => readFile(logFile, 'utf8')
  let child: ChildProcess | undefined
  const isAlive = () => child !== undefined && child.exitCode === null && child.signalCode === null
  const isReady = async () => {
    const ready = await request(`${url}/health/ready`, { signal: AbortSignal.timeout(5_000) })
    return ready.status === 200
  }
  const start = async () => {
    child = spawn(...cgroup.inside(process.execPath, [...nodeOptions, file]), {
      cwd: '/',
      env: { PATH: process.env.PATH, NODE_ENV: 'production', ...environment, HOST: '127.0.0.1', PORT: `${port}` },
      stdio: ['ignore', log.fd, log.fd],
    })
    for (const end = Date.now() + startMs; !(await isReady()); await sleep(100)) {
      if (isAlive() && Date.now() < end) continue
      throw new Error(`${name} did not start: ${(await readLog()).slice(-2_000)}`)
    }
  }
  const killNow = () => child?.kill('SIGKILL')
  process.on('exit', killNow)
  await start()
  return {
    name,
    url,
    memoryBytes,
    cgroup,
    pid: () => child?.pid ?? 0,
    isAlive,
    isReady,
    async loopMs() {
      const metrics = await request(`${url}/metrics`, { signal: AbortSignal.timeout(5_000) })
      const seconds = /^nodejs_eventloop_lag_max_seconds ([\d.e-]+)/m.exec(metrics.body.toString())?.[1]
      return Math.round(Number(seconds ?? Number.NaN) * 1000)
    },
    log: readLog,
    async errorLines() {
      const lines = (await readLog()).split('\n')
      return lines.filter((line) => /^\{"level":[56]0/.test(line)).length
    },
    start,
    async stop() {
      const exited = child && isAlive() ? once(child, 'exit') : undefined
      await cgroup.remove()
      await exited
      process.off('exit', killNow)
      await log.close()
    },
  }
}

/** How a command ended. */
export interface Ended {
  /** The exit code; null if it was killed, as after two minutes. */
  code: number | null
  output: string
  errors: string
  seconds: number
  peakBytes: number
  oomKills: number
}

/** A command has to end within this time. */
const commandMs = 120_000

/** Runs a command inside the limits of a container, and removes its group afterwards. */
export async function runLimited({
  cgroup,
  environment,
  file,
  args,
}: Pick<ProcessOptions, 'cgroup' | 'environment' | 'file'> & { args: string[] }): Promise<Ended> {
  const started = Date.now()
  const [program, programArgs] = cgroup.inside(process.execPath, [...nodeOptions, file, ...args])
  // Libraries warn of the version of Node.
  const env = { PATH: process.env.PATH, NODE_ENV: 'production', NODE_NO_WARNINGS: '1', ...environment }
  try {
    const ended = await new Promise<Pick<Ended, 'code' | 'output' | 'errors'>>((resolve) => {
      const child = execFile(
        program,
        programArgs,
        { cwd: '/', env, timeout: commandMs, killSignal: 'SIGKILL' },
        (_, output, errors) => resolve({ code: child.exitCode, output, errors }),
      )
    })
    const seconds = Math.round((Date.now() - started) / 1000)
    return { ...ended, seconds, peakBytes: await cgroup.peakBytes(), oomKills: await cgroup.oomKills() }
  } finally {
    await cgroup.remove()
  }
}
