import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '@playtherapy/embedded-postgres'
import { nodeOptions, type Program, programPath } from '@playtherapy/programs'

/** A container is killed when it has not ended so long after it was asked to. */
const patienceMs = 10_000

/** One of our processes, as a container of Compose has it: with a log of its own, and stopped only by a command. */
export interface Container {
  kind: Program
  url: string
  port: number
  env: NodeJS.ProcessEnv
  /** Whether it was started, and neither stopped nor removed: Prometheus asks it. */
  readonly isWanted: boolean
  readonly child: ChildProcess | undefined
  /** Starts it, if it does not run, and waits until it is live. */
  start(): Promise<void>
  /** Asks it to end, as `docker compose stop` does, and kills it if it does not. */
  stop(): Promise<void>
  /** Sends a signal, as somebody or something else does. */
  hurt(signal: NodeJS.Signals): void
  state(): string
  /** Lines of its log of the last seconds. */
  log(seconds: number): Promise<string[]>
}

/** Prepares a container of a program without starting it. With `fast` its clock runs so many times faster (libfaketime). */
export async function container(
  kind: Program,
  env: NodeJS.ProcessEnv,
  logFile: string,
  { fast }: { fast?: number } = {},
): Promise<Container> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const own = { ...process.env, ...env, HOST: '127.0.0.1', PORT: `${port}`, LOG_LEVEL: 'info', NODE_NO_WARNINGS: '1' }
  const clock = fast && {
    LD_PRELOAD: '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1',
    FAKETIME: `+0 x${fast}`,
    FAKETIME_NO_CACHE: '1',
  }
  let child: ChildProcess | undefined
  let isWanted = false
  const isRunning = () => child?.exitCode === null && child.signalCode === null
  process.on('exit', () => child?.kill('SIGKILL'))
  return {
    kind,
    url,
    port,
    env: own,
    get isWanted() {
      return isWanted
    },
    get child() {
      return child
    },
    async start() {
      isWanted = true
      if (isRunning()) return
      const log = openSync(logFile, 'a')
      child = spawn(process.execPath, [...nodeOptions, programPath(kind)], {
        env: { ...own, ...clock },
        stdio: ['ignore', log, log],
      })
      for (let left = 600; ; left--) {
        const live = await fetch(`${url}/health/live`, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined)
        await live?.body?.cancel()
        if (live?.ok) return
        if (left === 0 || !isRunning()) throw new Error(`${kind} did not start, see ${logFile}`)
        await sleep(200)
      }
    },
    async stop() {
      isWanted = false
      if (!child || !isRunning()) return
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      const late = setTimeout(() => child?.kill('SIGKILL'), patienceMs)
      await ended
      clearTimeout(late)
    },
    hurt(signal) {
      child?.kill(signal)
    },
    state: () => (isRunning() ? 'Up' : `Exited (${child?.signalCode ?? child?.exitCode ?? 'not started'})`),
    async log(seconds) {
      const from = Date.now() - seconds * 1_000
      const lines = (await readFile(logFile, 'utf8').catch(() => '')).split('\n')
      return lines.filter((line) => Date.parse(/"time":"([^"]+)"/.exec(line)?.[1] ?? '') >= from)
    },
  }
}
