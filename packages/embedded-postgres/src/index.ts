import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export { freePort } from './free-port.ts'

export interface PostgresOptions {
  /** The folder of the database cluster. It is made on first use and kept between runs. */
  directory: string
  /** Server settings as `name=value`, for example `fsync=off`. */
  settings?: string[]
}

export interface RunningPostgres {
  /** The postgres:// URL of the superuser, with the database `postgres`. */
  url: string
  /** The process that starts and stops the server. */
  supervisor: ChildProcess
  /** Shuts the server down (fast mode). Resolves when it has exited. */
  stop(): Promise<void>
}

/**
 * Starts a real PostgreSQL on a free loopback port. A small supervisor process, in a process group of its own, runs it.
 * So Ctrl-C in a terminal does not stop the server before its clients have finished. If our process ends, in any way, the
 * supervisor's channel closes and it shuts the server down. Rejects with the server's output if it cannot start.
 */
export async function startPostgres({ directory, settings = [] }: PostgresOptions): Promise<RunningPostgres> {
  const supervisor = fork(fileURLToPath(new URL('./supervisor.ts', import.meta.url)), [directory, ...settings], {
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const gone = once(supervisor, 'exit')
  const [message] = await Promise.race([once(supervisor, 'message'), gone.then(() => [{ error: 'it ended at once' }])])
  if (!('url' in message)) {
    if (supervisor.connected) supervisor.disconnect()
    throw new Error(`PostgreSQL could not be started in ${directory}: ${message.error}`)
  }
  return {
    url: message.url,
    supervisor,
    async stop() {
      if (supervisor.connected) supervisor.disconnect()
      await gone
    },
  }
}
