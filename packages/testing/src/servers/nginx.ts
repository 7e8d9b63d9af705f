import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '@playtherapy/embedded-postgres'

const gateway = fileURLToPath(new URL('../../../../.docker/nginx.conf', import.meta.url))
const consoleOf = (state: 'on' | 'off') =>
  readFile(fileURLToPath(new URL(`../../../../.docker/console-${state}.conf`, import.meta.url)), 'utf8')
const composeFile = fileURLToPath(new URL('../../../../docker-compose.yml', import.meta.url))
const nowhere = 'http://127.0.0.1:9'

export interface RunningNginx {
  url: string
  stop(): Promise<void>
}

/** The servers behind the gateway; those without an address cannot be reached. The limits are those of production. */
export interface Upstreams {
  media: string
  store: string
  contents?: string
  script?: string
  /** The bucket of presigned uploads. */
  bucket?: string
  /** One therapist may have this many playbacks at once. */
  playbacks?: number
  /** This many requests with one token may wait for their turn. */
  waiting?: number
}

export interface NginxOptions {
  /** Path of the gateway's configuration; this repository's own by default. */
  file?: string
  /** The folder in which there is a folder `console` with the files of the console, which is off without it. */
  consoleIn?: string
  /** The proxies before the gateway that it believes, as GATEWAY_TRUSTED_PROXY names them; none by default. */
  trustedProxy?: string
  /** A free port; any by default. */
  port?: number
  /** Returns the program and arguments that run nginx inside something else, such as a cgroup. */
  inside?: (program: string, args: string[]) => [program: string, args: string[]]
}

/** Returns whether nginx is installed. */
export function hasNginx(): boolean {
  try {
    execFileSync('nginx', ['-v'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/**
 * Starts a real nginx with the gateway's own configuration and these servers behind it. It ends with this process.
 * Rejects when nginx is not installed or does not start.
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
  {
    file: source = gateway,
    consoleIn,
    trustedProxy: GATEWAY_TRUSTED_PROXY,
    port: wanted,
    inside = (program, args) => [program, args],
  }: NginxOptions = {},
): Promise<RunningNginx> {
  await mkdir(directory, { recursive: true })
  const port = wanted ?? (await freePort())
  const configuration = (await readFile(source, 'utf8'))
    .replaceAll('/tmp/', `${directory}/`)
    .replace('listen 8080', `listen 127.0.0.1:${port}`)
    .replace(/access_log .*/, 'access_log off;')
    // Debian's nginx is too old to resolve names again, and here are only addresses.
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
  const part = consoleIn ? (await consoleOf('on')).replaceAll('/usr/share/nginx', consoleIn) : await consoleOf('off')
  await writeFile(join(directory, 'console.conf'), part)
  if (GATEWAY_TRUSTED_PROXY !== undefined) {
    const [line = ''] = /for proxy in .*trusted-proxy.conf/.exec(await readFile(composeFile, 'utf8')) ?? []
    const script = line.replaceAll('$$', '$').replace('/tmp/', `${directory}/`)
    execFileSync('sh', ['-c', script], { env: { ...process.env, GATEWAY_TRUSTED_PROXY } })
  }
  const child = spawn(...inside('nginx', ['-c', file, '-p', directory, '-g', 'daemon off;']), {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const exited = once(child, 'exit')
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
      await exited
      process.off('exit', killNow)
    },
  }
}
