import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort, type RunningPostgres, startPostgres } from '@playtherapy/embedded-postgres'
import type { Signal } from '../processes.ts'

/** One of our processes or a server, which can be killed. */
export interface Part {
  name: string
  kill(signal: Signal): Promise<unknown>
  /** Resolves when the part works again, with what has become of it if that is worth counting. */
  restart(): Promise<string | undefined>
}

/** Starts a durable PostgreSQL on a fixed port, which can be killed and restarted. */
export async function durablePostgres(directory: string) {
  const port = await freePort()
  const start = () => startPostgres({ directory, settings: [`port=${port}`] })
  let server: RunningPostgres = await start()
  const url = new URL(server.url)
  url.port = `${port}`
  const part: Part = {
    name: 'PostgreSQL',
    async kill(signal) {
      const exited = once(server.supervisor, 'exit')
      const [pid] = (await readFile(join(directory, 'data/postmaster.pid'), 'utf8')).split('\n')
      process.kill(Number(pid), signal === 'SIGKILL' ? 'SIGKILL' : 'SIGINT')
      await exited
    },
    async restart() {
      // The backends of a killed postmaster notice its end at their next statement, and hold the data until then.
      for (let left = 50; ; left--) {
        try {
          server = await start()
          return undefined
        } catch (error) {
          if (left === 0) throw error
          await sleep(200)
        }
      }
    },
  }
  return { url: url.href, part, stop: () => server.stop() }
}
