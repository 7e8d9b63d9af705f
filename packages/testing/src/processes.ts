import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '@playtherapy/embedded-postgres'
import { nodeOptions, type Program, programPath } from '@playtherapy/programs'

/** Longest wait for an answer, in milliseconds: beside other tests, on two slow cores. */
const patience = 180_000

export type Signal = 'SIGKILL' | 'SIGTERM'

/** One of our own processes, run as in production. */
export interface OwnProcess {
  url: string
  /** Resolves when it has ended, with its code or the signal that ended it. */
  kill(signal: Signal): Promise<number | string>
  /** Starts it, again if need be, until it answers: an orchestrator would. Rejects after three minutes. */
  restart(): Promise<void>
}

/** A process of the given program, as it was bundled, on a port of its own; not started yet. It dies with us. */
export async function ownProcess(program: Program, env: NodeJS.ProcessEnv): Promise<OwnProcess> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  let child: ChildProcess | undefined
  const running = () => child?.exitCode === null && child.signalCode === null
  process.on('exit', () => child?.kill('SIGKILL'))
  return {
    url,
    async kill(signal) {
      if (!child || !running()) return 'not running'
      const gone = once(child, 'exit')
      child.kill(signal)
      const [code, by] = await gone
      return code ?? by
    },
    async restart() {
      for (const end = Date.now() + patience; ; await sleep(200)) {
        if (!running()) {
          child = spawn(process.execPath, [...nodeOptions, programPath(program)], {
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
