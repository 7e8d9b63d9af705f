import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '@playtherapy/embedded-postgres'
import { nodeOptions, type Program, programPath } from '@playtherapy/programs'
import type { Teardown } from './database.ts'

/** A process has to start within this time, beside other tests on two slow cores. */
const startMs = 180_000

/** Options of node for a process that runs our sources as `npm start` does, with the libraries that test files load. */
export const sourceOptions = ['--import=tsx', `--import=${new URL('./one-file/register.ts', import.meta.url)}`]

export type Signal = 'SIGKILL' | 'SIGTERM'

/** One of our own processes, run as in production. */
export interface OwnProcess {
  url: string
  /** Sends the signal. Resolves when the process has ended, with its exit code or the signal that ended it. */
  kill(signal: Signal): Promise<number | string>
  /** Starts the process, and again whenever it ends, until it is live. Rejects after three minutes. */
  restart(): Promise<void>
}

/**
 * Prepares a process of a bundled program on its own port, without starting it. It is killed when we exit. `pathOf` is called at each
 * start, and returns the file that node runs then.
 */
export async function ownProcess(
  program: Program,
  env: NodeJS.ProcessEnv,
  pathOf = () => programPath(program),
): Promise<OwnProcess> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  let child: ChildProcess | undefined
  const running = () => child?.exitCode === null && child.signalCode === null
  process.on('exit', () => child?.kill('SIGKILL'))
  return {
    url,
    async kill(signal) {
      if (!child || !running()) return 'not running'
      const exited = once(child, 'exit')
      child.kill(signal)
      const [code, by] = await exited
      return code ?? by
    },
    async restart() {
      for (const end = Date.now() + startMs; ; await sleep(200)) {
        if (!running()) {
          child = spawn(process.execPath, [...nodeOptions, pathOf()], {
            env: {
              ...process.env,
              NODE_NO_WARNINGS: '1',
              LOG_LEVEL: 'error',
              ...env,
              HOST: '127.0.0.1',
              PORT: `${port}`,
            },
            stdio: ['ignore', 'ignore', 'inherit'],
          })
        }
        const answer = await fetch(`${url}/health/live`, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined)
        await answer?.body?.cancel()
        if (answer?.ok) return
        if (Date.now() > end) throw new Error(`${program} did not start`)
      }
    },
  }
}

/**
 * Starts a bundled worker, which ends with the test that starts it, or when we exit. With `onLog` it is called with what the worker
 * writes.
 */
export function forkWorker(t: Teardown, env: NodeJS.ProcessEnv, onLog?: (text: string) => void): ChildProcess {
  const worker = fork(programPath('worker'), [], {
    execArgv: nodeOptions,
    silent: onLog !== undefined,
    env: { ...process.env, HOST: '127.0.0.1', PORT: '0', LOG_LEVEL: 'silent', ...env },
  })
  for (const output of [worker.stdout, worker.stderr]) output?.on('data', (bytes: Buffer) => onLog?.(bytes.toString()))
  t.teardown(() => worker.kill('SIGKILL'))
  return worker
}
