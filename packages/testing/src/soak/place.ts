import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { S3Settings } from '@playtherapy/object-store'
import type { Program } from '@playtherapy/programs'
import type { QueueBackend } from '../queues.ts'
import { durablePostgres, type Part } from '../servers/durable-postgres.ts'
import { startS3 } from '../servers/s3.ts'
import { type SlowLink, slowLink } from '../servers/slow-link.ts'
import { type OwnPart, ownPart, prepare, redisWithReplica } from './parts.ts'
import { buildRelease, thisRelease } from './release.ts'

export interface Place {
  databaseUrl: string
  bucket: S3Settings
  jwtSecret: string
  /** Base URLs of the processes of each service. */
  urls: { contents: string[]; media: string[]; script: string[] }
  /** Our own processes. */
  ours: OwnPart[]
  /** What can be killed: our own processes and the servers. */
  parts: Part[]
  /** Our own processes reach the object store through this. */
  store: SlowLink
  /** What upgrades everything from the release that it was started with, one step after the other; none without such a release. */
  upgrade: { name: string; run: () => Promise<void> }[]
  /** Sets all clocks right, and restarts those of our processes that ended by themselves, as an orchestrator does; returns how many. */
  revive(): Promise<number>
  stop(): Promise<void>
}

interface Options {
  graceSeconds: number
  queue: QueueBackend
  /** The commit whose bundle is started in place of this one's. */
  from: string | undefined
}

/** Starts everything as in production, on loopback: real servers with durable data, and processes of every service. */
export async function startPlace({ graceSeconds, queue, from }: Options): Promise<Place> {
  const directory = await mkdtemp('/var/tmp/playtherapy-soak-')
  await chmod(directory, 0o755)
  const release = from ? await buildRelease(from, directory) : thisRelease
  const postgres = await durablePostgres(join(directory, 'postgres'))
  const [redis, s3] = await Promise.all([
    queue === 'redis' ? redisWithReplica(join(directory, 'redis')) : undefined,
    startS3(join(directory, 's3')),
  ])
  const bucket = { ...s3.settings, bucket: 'soak' }
  const store = await slowLink(bucket.endpoint ?? '')
  const jwtSecret = randomBytes(32).toString('hex')
  const stored = {
    DATABASE_URL: postgres.url,
    S3_ENDPOINT: store.url,
    S3_BUCKET: bucket.bucket,
    S3_ACCESS_KEY_ID: bucket.accessKeyId,
    S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
  }
  await prepare(release, stored)
  // A resumable upload whose creation was not answered expires as soon as the lease of a multipart upload.
  const limits = { REQUESTS_PER_MINUTE: '1000000', UPLOAD_EXPIRY_SECONDS: '120' }
  const service = { ...stored, ...limits, JWT_SECRET: jwtSecret }
  const started = (name: string, program: Program, env: NodeJS.ProcessEnv) =>
    ownPart({ name, program, release, directory }, env)
  const worker = (n: number) =>
    started(`worker ${n}`, 'worker', {
      ...stored,
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
    ...[1, 2, 3, 4].map(worker),
  ])
  const urlsOf = (name: string) => ours.filter((own) => own.name.startsWith(name)).map(({ url }) => url)
  const replacements = ours.map((own) => ({ name: `${own.name} upgraded`, run: () => own.replace(thisRelease) }))
  return {
    databaseUrl: postgres.url,
    bucket,
    jwtSecret,
    urls: { contents: urlsOf('contents'), media: urlsOf('media'), script: urlsOf('script') },
    ours,
    parts: [
      postgres.part,
      ...(redis ? [redis.part] : []),
      { name: 'object store', kill: s3.kill, restart: () => s3.restart().then(() => undefined) },
      ...ours,
    ],
    store,
    upgrade: from ? [{ name: 'tables upgraded', run: () => prepare(thisRelease, stored) }, ...replacements] : [],
    async revive() {
      const dead = await Promise.all(
        ours.map(({ url }) =>
          fetch(`${url}/health/live`).then(
            async (answer) => void (await answer.text()),
            () => url,
          ),
        ),
      )
      await Promise.all(ours.map(({ setClock }) => setClock(0)))
      await Promise.all(ours.map(({ restart }) => restart()))
      return dead.filter(Boolean).length
    },
    async stop() {
      await Promise.all(ours.map(({ kill }) => kill('SIGTERM')))
      store.close()
      await Promise.all([postgres.stop(), redis?.stop(), s3.stop()])
      await rm(directory, { recursive: true, force: true })
    },
  }
}
