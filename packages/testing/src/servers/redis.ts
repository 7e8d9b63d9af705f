import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '@playtherapy/embedded-postgres'

export interface RunningRedis {
  url: string
  /** Suspends the process: connections stay open without a response. */
  freeze(): void
  thaw(): void
  /** Kills the process, as a crash does. */
  kill(): Promise<void>
  /** Starts the process again on its port, with the data of its append-only file. */
  restart(): Promise<void>
}

/**
 * Starts a real redis-server on a free loopback port, configured as production must be: no eviction, append-only file.
 * It ends with this process. Rejects when redis-server is not installed or does not start.
 */
export async function startRedis(directory: string, more: string[] = []): Promise<RunningRedis> {
  await mkdir(directory, { recursive: true })
  const port = await freePort()
  // Sentinels let a server write down here whose replica it is, for its next start.
  const file = join(directory, 'redis.conf')
  await writeFile(file, '')
  const launch = async () => {
    const child = spawn(
      'redis-server',
      // biome-ignore format: pairs
      [file, '--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory, '--save', '',
        '--appendonly', 'yes', '--appendfsync', 'no', '--maxmemory-policy', 'noeviction', ...more],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    // `once` of node:events would reject without a handler when the program is not installed.
    const dead = new Promise((resolve) => child.once('exit', resolve))
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', () => reject(new Error('redis-server ended at once')))
      child.stdout.on('data', (text) => `${text}`.includes('Ready to accept connections') && resolve())
    })
    return { child, dead }
  }
  let server = await launch()
  const killNow = () => server.child.kill('SIGKILL')
  process.on('exit', killNow)
  return {
    url: `redis://127.0.0.1:${port}`,
    freeze: () => void server.child.kill('SIGSTOP'),
    thaw: () => void server.child.kill('SIGCONT'),
    async kill() {
      killNow()
      await server.dead
    },
    async restart() {
      server = await launch()
    },
  }
}
