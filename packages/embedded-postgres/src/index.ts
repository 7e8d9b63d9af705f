import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export { freePort } from './free-port.ts'

export interface PostgresOptions {
  /** Where the cluster lives; made on first use, kept between runs. */
  directory: string
  /** Server settings as `name=value`, for example `fsync=off`. */
  settings?: string[]
}

export interface RunningPostgres {
  /** postgres:// URL of its superuser, database `postgres`. */
  url: string
  /** The process that looks after the server. */
  supervisor: ChildProcess
  /** Fast shutdown; resolves when the server is gone. */
  stop(): Promise<void>
}

/**
 * Starts a real PostgreSQL on a free loopback port. A small supervisor process in a process group of its own holds it:
 * a terminal's Ctrl-C does not reach the server before its clients have finished, and when we die, however, the
 * supervisor sees its channel close and shuts the server down.
 * Rejects with what the server said when it cannot start.
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
