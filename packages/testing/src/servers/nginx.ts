import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '@playtherapy/embedded-postgres'

const gateway = fileURLToPath(new URL('../../../../.docker/nginx.conf', import.meta.url))

export interface RunningNginx {
  url: string
  stop(): Promise<void>
}

/**
 * Starts a real nginx with the gateway's own configuration, whose media service and object store are at these
 * addresses, and whose presigned uploads go to this bucket. One therapist may have so many `playbacks` at once. It dies
 * with us. Rejects when nginx is not installed or does not start.
 */
export async function startNginx(
  directory: string,
  {
    media,
    store,
    bucket = 'playtherapy',
    playbacks = 256,
  }: { media: string; store: string; bucket?: string; playbacks?: number },
): Promise<RunningNginx> {
  await mkdir(directory, { recursive: true })
  const port = await freePort()
  const configuration = (await readFile(gateway, 'utf8'))
    .replaceAll('/tmp/', `${directory}/`)
    .replace('listen 8080', `listen 127.0.0.1:${port}`)
    .replace(/access_log .*/, 'access_log off;')
    // Debian's nginx is too old to look names up again, and here are none.
    .replaceAll(' resolve ', ' ')
    .replace('of_therapist 256', `of_therapist ${playbacks}`)
    .replace('location /playtherapy/', `location /${bucket}/`)
    .replaceAll('media:8080', new URL(media).host)
    .replaceAll('s3:3900', new URL(store).host)
    .replaceAll(/(contents|script):8080/g, '127.0.0.1:9')
  const file = join(directory, 'nginx.conf')
  await writeFile(file, configuration)
  const child = spawn('nginx', ['-c', file, '-p', directory, '-g', 'daemon off;'], {
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
