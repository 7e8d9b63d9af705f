import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '@playtherapy/embedded-postgres'

const gateway = fileURLToPath(new URL('../../../../.docker/nginx.conf', import.meta.url))
const nowhere = 'http://127.0.0.1:9'

export interface RunningNginx {
  url: string
  stop(): Promise<void>
}

/** What stands behind the gateway, by address. A service without one cannot be reached; the rest is as in production. */
export interface Upstreams {
  media: string
  store: string
  contents?: string
  script?: string
  /** Bucket that presigned uploads go to. */
  bucket?: string
  /** Playbacks of one therapist at once. */
  playbacks?: number
  /** Requests with one token that may wait until it is their turn. */
  waiting?: number
}

export interface NginxOptions {
  /** The gateway's configuration; this repository's own by default. */
  file?: string
  /** A port that is free; any by default. */
  port?: number
  /** The program to start and its arguments, when nginx is to run inside something else. */
  inside?: (program: string, args: string[]) => [program: string, args: string[]]
}

/**
 * Starts a real nginx with the gateway's own configuration, whose services and object store are at these addresses. It
 * dies with us. Rejects when nginx is not installed or does not start.
 */
export async function startNginx(
  directory: string,
  {
    media,
    store,
    contents = nowhere,
    script = nowhere,
    bucket = 'playtherapy',
    playbacks = 64,
    waiting = 1000,
  }: Upstreams,
  { file: source = gateway, port: wanted, inside = (program, args) => [program, args] }: NginxOptions = {},
): Promise<RunningNginx> {
  await mkdir(directory, { recursive: true })
  const port = wanted ?? (await freePort())
  const configuration = (await readFile(source, 'utf8'))
    .replaceAll('/tmp/', `${directory}/`)
    .replace('listen 8080', `listen 127.0.0.1:${port}`)
    .replace(/access_log .*/, 'access_log off;')
    // Debian's nginx is too old to look names up again, and here are none.
    .replaceAll(' resolve ', ' ')
    .replace('of_therapist 64', `of_therapist ${playbacks}`)
    .replace('burst=1000', `burst=${waiting}`)
    .replace('location /playtherapy/', `location /${bucket}/`)
    .replaceAll('media:8080', new URL(media).host)
    .replaceAll('s3:3900', new URL(store).host)
    .replaceAll('contents:8080', new URL(contents).host)
    .replaceAll('script:8080', new URL(script).host)
  const file = join(directory, 'nginx.conf')
  await writeFile(file, configuration)
  const child = spawn(...inside('nginx', ['-c', file, '-p', directory, '-g', 'daemon off;']), {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const gone = once(child, 'exit')
  const killNow = () => child.kill('SIGTERM')
  process.on('exit', killNow)
  const url = `http://127.0.0.1:${port}`
  for (let left = 100; ; left--) {
    const answer = await fetch(`${url}/health`).catch(() => undefined)
    if (answer?.ok) break
    if (left === 0 || child.exitCode !== null) throw new Error('nginx did not start')
    await sleep(50)
  }
  return {
    url,
    async stop() {
      killNow()
      await gone
      process.off('exit', killNow)
    },
  }
}
