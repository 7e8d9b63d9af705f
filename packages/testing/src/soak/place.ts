import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort, type RunningPostgres, startPostgres } from '@playtherapy/embedded-postgres'
import { prepareBucket, type S3Settings } from '@playtherapy/object-store'
import type { Program } from '@playtherapy/programs'
import { migrate } from '@playtherapy/schema/migrate'
import { ownProcess, type Signal } from '../processes.ts'
import type { QueueBackend } from '../queues.ts'
import { startRedis } from '../servers/redis.ts'
import { startS3 } from '../servers/s3.ts'

/** One of our processes or a server, which can be killed. `restart` resolves when it works again. */
export interface Part {
  name: string
  kill(signal: Signal): Promise<unknown>
  restart(): Promise<void>
}

export interface Place {
  databaseUrl: string
  /** Undefined where the queue is in PostgreSQL. */
  redisUrl: string | undefined
  bucket: S3Settings
  jwtSecret: string
  /** Base URLs of the processes of each service. */
  urls: { contents: string[]; media: string[]; script: string[] }
  parts: Part[]
  /** Restarts those of our processes that ended by themselves, as an orchestrator does; returns how many. */
  revive(): Promise<number>
  stop(): Promise<void>
}

/** Starts a durable PostgreSQL on a fixed port, which can be killed and restarted. */
async function durablePostgres(directory: string) {
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
          return
        } catch (error) {
          if (left === 0) throw error
          await sleep(200)
        }
      }
    },
  }
  return { url: url.href, part, stop: () => server.stop() }
}

/** Starts one of our own processes. */
async function started(name: string, program: Program, env: NodeJS.ProcessEnv) {
  const own = await ownProcess(program, env)
  await own.restart()
  return { name, ...own }
}

/** Starts everything as in production, on loopback: real servers with durable data, and processes of every service. */
export async function startPlace(graceSeconds: number, queue: QueueBackend): Promise<Place> {
  const directory = await mkdtemp('/var/tmp/playtherapy-soak-')
  await chmod(directory, 0o755)
  const postgres = await durablePostgres(join(directory, 'postgres'))
  const [redis, s3] = await Promise.all([
    queue === 'redis' ? startRedis(join(directory, 'redis')) : undefined,
    startS3(join(directory, 's3')),
  ])
  await migrate(postgres.url)
  const bucket = { ...s3.settings, bucket: 'soak' }
  await prepareBucket(bucket, { corsOrigins: ['http://localhost:3000'] })
  const jwtSecret = randomBytes(32).toString('hex')
  const store = {
    DATABASE_URL: postgres.url,
    S3_ENDPOINT: bucket.endpoint,
    S3_BUCKET: bucket.bucket,
    S3_ACCESS_KEY_ID: bucket.accessKeyId,
    S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
  }
  // A resumable upload whose creation was not answered expires as soon as the lease of a multipart upload.
  const limits = { REQUESTS_PER_MINUTE: '1000000', UPLOAD_EXPIRY_SECONDS: '120' }
  const service = { ...store, ...limits, JWT_SECRET: jwtSecret }
  const worker = (n: number) => ({
    ...store,
    QUEUE_URL: redis?.url ?? postgres.url,
    SCRATCH_DIRECTORY: join(directory, `scratch-${n}`),
    ORPHAN_GRACE_SECONDS: `${graceSeconds}`,
  })
  const ours = await Promise.all([
    started('contents', 'contents', service),
    started('media 1', 'media', service),
    started('media 2', 'media', service),
    started('script 1', 'script', service),
    started('script 2', 'script', service),
    started('worker 1', 'worker', worker(1)),
    started('worker 2', 'worker', worker(2)),
  ])
  const urlsOf = (name: string) => ours.filter((own) => own.name.startsWith(name)).map(({ url }) => url)
  return {
    databaseUrl: postgres.url,
    redisUrl: redis?.url,
    bucket,
    jwtSecret,
    urls: { contents: urlsOf('contents'), media: urlsOf('media'), script: urlsOf('script') },
    parts: [
      ...ours,
      postgres.part,
      ...(redis ? [{ name: 'Redis', kill: redis.kill, restart: redis.restart }] : []),
      { name: 'object store', kill: s3.kill, restart: s3.restart },
    ],
    async revive() {
      const dead = await Promise.all(
        ours.map(({ url }) =>
          fetch(`${url}/health/live`).then(
            async (answer) => void (await answer.text()),
            () => url,
          ),
        ),
      )
      await Promise.all(ours.map(({ restart }) => restart()))
      return dead.filter(Boolean).length
    },
    async stop() {
      await Promise.all(ours.map(({ kill }) => kill('SIGTERM')))
      await Promise.all([postgres.stop(), redis?.kill(), s3.stop()])
      await rm(directory, { recursive: true, force: true })
    },
  }
}
