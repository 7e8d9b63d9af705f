import { spawn } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '@playtherapy/embedded-postgres'
import { prepareBucket } from '@playtherapy/object-store'
import { migrate } from '@playtherapy/schema/migrate'
import postgres from 'postgres'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { roleUrls } from '../database.ts'
import { durablePostgres } from '../servers/durable-postgres.ts'
import { type RunningNginx, startNginx, type Upstreams } from '../servers/nginx.ts'
import { startRedis } from '../servers/redis.ts'
import { startS3 } from '../servers/s3.ts'
import { type Container, container } from './processes.ts'
import { scaledRules, scrapeSeconds } from './scaled.ts'

const observability = fileURLToPath(new URL('../../../../.docker/observability/', import.meta.url))

/** A server of somebody else, such as a receiver of webhooks, whose answer can be changed. */
async function peer(answer: (response: ServerResponse) => unknown) {
  const own = { answer, url: '', close: () => {} }
  const server = createServer((request, response) => void request.resume().once('end', () => own.answer(response)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  own.url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  own.close = () => {
    server.close()
    server.closeAllConnections()
  }
  return own
}

export const status = (code: number) => (response: ServerResponse) => response.writeHead(code).end('{}')

const Alerts = Type.Object({
  data: Type.Object({
    alerts: Type.Array(Type.Object({ state: Type.String(), labels: Type.Object({ alertname: Type.String() }) })),
  }),
})

/** Where Prometheus finds the gateway and the processes that are wanted, as DNS names only the containers that run. */
async function writeTargets(file: string, containers: Container[], gatewayPort: number) {
  const targets = [...containers, { kind: 'gateway', port: gatewayPort }]
  const groups = targets.map(({ kind, port }) => ({ targets: [`127.0.0.1:${port}`], labels: { job: kind } }))
  await writeFile(file, JSON.stringify(groups))
}

/** Prepares a gateway before these services, without starting it. */
function gatewayOf(directory: string, upstreams: Upstreams, port: number) {
  let running: RunningNginx | undefined
  return {
    state: () => (running ? 'Up' : 'Exited'),
    async start() {
      running ??= await startNginx(directory, upstreams, { port })
    },
    async stop() {
      await running?.stop()
      running = undefined
    },
  }
}

/** Starts Prometheus with the scaled rules. */
async function startPrometheus(directory: string, targets: string) {
  const port = await freePort()
  await mkdir(directory, { recursive: true })
  const rules = join(directory, 'rules.yml')
  await writeFile(rules, scaledRules(await readFile(join(observability, 'rules.yml'), 'utf8')))
  const settings = {
    global: {
      scrape_interval: `${scrapeSeconds}s`,
      scrape_timeout: `${scrapeSeconds}s`,
      evaluation_interval: '1s',
    },
    rule_files: [rules],
    scrape_configs: [{ job_name: 'all', file_sd_configs: [{ files: [targets], refresh_interval: '1s' }] }],
  }
  await writeFile(join(directory, 'prometheus.yml'), JSON.stringify(settings))
  const child = spawn(
    'prometheus',
    [
      `--config.file=${join(directory, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  )
  process.on('exit', () => child.kill('SIGKILL'))
  const url = `http://127.0.0.1:${port}`
  while (!(await fetch(`${url}/-/ready`).catch(() => undefined))?.ok) await sleep(200)
  /** Names of the alerts that fire now. */
  const firing = async (): Promise<string[]> => {
    const response = await fetch(`${url}/api/v1/alerts`)
    const { data } = Value.Parse(Alerts, await response.json())
    return data.alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels.alertname)
  }
  return { url, firing, stop: () => child.kill('SIGTERM') }
}

/** Starts everything as in production on loopback, with two workers at most, and Prometheus. */
export async function startStack() {
  const directory = await mkdtemp('/var/tmp/playtherapy-alerts-')
  await chmod(directory, 0o755)
  const scratch = join(directory, 'scratch')
  await mkdir(scratch)
  const database = await durablePostgres(join(directory, 'postgres'))
  const [redis, s3] = await Promise.all([startRedis(join(directory, 'redis')), startS3(join(directory, 's3'))])
  const urls = roleUrls(database.url)
  await migrate(database.url, urls)
  const bucket = { ...s3.settings, bucket: 'alerts' }
  await prepareBucket(bucket, { corsOrigins: ['http://localhost:3000'] })
  const jwtSecret = randomBytes(32).toString('hex')
  const [analyser, receiver, keys] = [await peer(status(500)), await peer(status(200)), await peer(status(200))]
  const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
  const publish = (response: ServerResponse) => response.end(JSON.stringify({ keys: [jwk] }))
  keys.answer = publish

  // An encoder whose start can be made slow.
  const slow = join(directory, 'slow')
  const ffmpeg = join(directory, 'ffmpeg')
  await writeFile(slow, '0')
  await writeFile(ffmpeg, `#!/bin/sh\nsleep "$(cat ${slow})"\nexec ffmpeg "$@"\n`, { mode: 0o755 })

  const store = {
    S3_ENDPOINT: bucket.endpoint,
    S3_BUCKET: bucket.bucket,
    S3_ACCESS_KEY_ID: bucket.accessKeyId,
    S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
  }
  const service = { ...store, JWT_SECRET: jwtSecret, REQUESTS_PER_MINUTE: '1000000' }
  const worker = {
    ...store,
    DATABASE_URL: urls.worker,
    QUEUE_URL: redis.url,
    SCRATCH_DIRECTORY: scratch,
    FFMPEG_PATH: ffmpeg,
    ANALYSER_URL: `${analyser.url}/v1`,
    ANALYSER_MODEL: 'a-model',
    WEBHOOK_URL: `${receiver.url}/`,
    WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 'a').toString('base64')}`,
    WEBHOOK_INTERNAL_ADDRESSES: '127.0.0.1',
  }
  const log = (name: string) => join(directory, `${name}.log`)
  const media = { ...service, DATABASE_URL: urls.media }
  const containers = {
    contents: await container('contents', { ...service, DATABASE_URL: urls.contents }, log('contents')),
    media: await container('media', media, log('media')),
    'media-2': await container('media', media, log('media')),
    script: await container('script', { ...service, DATABASE_URL: urls.script }, log('script')),
    'worker-1': await container('worker', worker, log('worker')),
    'worker-2': await container('worker', worker, log('worker')),
  }
  /** A contents with a clock that is ten times as fast, for the keys of tokens. */
  const hasty = await container(
    'contents',
    {
      ...service,
      DATABASE_URL: urls.contents,
      JWT_SECRET: '',
      JWT_JWKS_URL: keys.url.replace('127.0.0.1', 'localhost'),
      JWT_ISSUER: 'sign-in',
      LINK_KEYS: `a:${jwtSecret}`,
    },
    log('contents'),
    { fast: 10 },
  )
  const all = [...Object.values(containers), hasty]
  const { contents, media: firstMedia, script, 'worker-1': firstWorker } = containers
  await Promise.all([contents, firstMedia, script, firstWorker].map((each) => each.start()))
  const gatewayPort = await freePort()
  const gateway = gatewayOf(
    join(directory, 'nginx'),
    { contents: contents.url, media: firstMedia.url, script: script.url, store: bucket.endpoint ?? '' },
    gatewayPort,
  )
  await gateway.start()
  const targets = join(directory, 'targets.json')
  const showTargets = () =>
    writeTargets(
      targets,
      all.filter((each) => each.isWanted),
      gatewayPort,
    )
  await showTargets()
  const prometheus = await startPrometheus(join(directory, 'prometheus'), targets)
  const sql = postgres(database.url, { max: 2, onnotice: () => {} })
  return {
    ...{ directory, scratch, database, redis, s3, bucket, jwtSecret, analyser, receiver, keys, containers, hasty },
    ...{ prometheus, sql, urls, showTargets, publish, gateway },
    /** Makes each run of ffmpeg begin so many seconds later. */
    slowDown: (seconds: number) => writeFile(slow, `${seconds}`),
    async stop() {
      prometheus.stop()
      await Promise.all([gateway, ...all].map((each) => each.stop()))
      await sql.end({ timeout: 1 })
      for (const { close } of [analyser, receiver, keys]) close()
      await Promise.all([database.stop(), redis.kill(), s3.stop()])
      await rm(directory, { recursive: true, force: true })
    },
  }
}

export type Stack = Awaited<ReturnType<typeof startStack>>
