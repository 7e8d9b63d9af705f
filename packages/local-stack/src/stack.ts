import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { contentsApp } from '@playtherapy/contents/app'
import { startPostgres } from '@playtherapy/embedded-postgres'
import { mediaApp } from '@playtherapy/media/app'
import { createFileStore, createS3Store, fileRoutes, type ObjectStore, prepareBucket } from '@playtherapy/object-store'
import { checkDatabase, openDatabase } from '@playtherapy/schema'
import { migrate } from '@playtherapy/schema/migrate'
import { scriptApp } from '@playtherapy/script/app'
import {
  authFrom,
  ConfigError,
  drain,
  HttpSettings,
  loadConfig,
  QueueSettings,
  StoreSettings,
  s3From,
  UploadSettings,
} from '@playtherapy/service-kit'
import { createHost } from '@playtherapy/service-kit/host'
import { Type } from 'typebox'
import { admitUploads } from './admit-upload.ts'
import { keptSecret, openDataDirectory } from './data-directory.ts'
import type { Programs } from './ffmpeg.ts'
import type { StackOptions } from './options.ts'
import { signInApp } from './sign-in/app.ts'
import { tokenSigner } from './tokens.ts'

export interface Stack {
  /** The base URL of all services. */
  url: string
  /** The folder of the demo's clip. */
  demoDirectory: string
  /** A description of each part, to be printed. */
  parts: Record<string, string>
  /** Returns a token of this therapist, valid for a day. */
  mintToken(userId: number): string
  /** Rejects, with the reason, as soon as a part that is needed has ended. */
  broken: Promise<never>
  /** Finishes running requests and jobs and ends all parts, each before those it depends on. */
  close(): Promise<void>
}

const Environment = Type.Object({
  DATABASE_URL: Type.Optional(Type.String({ pattern: '^postgres(ql)?://' })),
  QUEUE_URL: Type.Optional(QueueSettings.QUEUE_URL),
  JWT_SECRET: HttpSettings.JWT_SECRET,
  JWT_AUDIENCE: HttpSettings.JWT_AUDIENCE,
  JWT_ISSUER: HttpSettings.JWT_ISSUER,
  S3_BUCKET: Type.Optional(Type.String()),
  CORS_ORIGINS: HttpSettings.CORS_ORIGINS,
  REQUESTS_PER_MINUTE: HttpSettings.REQUESTS_PER_MINUTE,
  DATE_TIME_ZONE: Type.String({ default: 'Asia/Seoul' }),
  LOG_LEVEL: Type.String({ default: 'warn' }),
  ...UploadSettings,
})

/**
 * Starts all services on one port, the workers, and embedded servers for those that the environment does not name. If a
 * part cannot start, the others are stopped and the promise rejects.
 */
export async function startStack(options: StackOptions, programs: Programs): Promise<Stack> {
  if (process.env.JWT_PUBLIC_KEY) {
    throw new ConfigError('JWT_PUBLIC_KEY is set, but `npm start` signs tokens of its own: set JWT_SECRET instead.')
  }
  const env = loadConfig(Environment, process.env)
  const data = await openDataDirectory(options.dataDirectory)
  const closers: (() => Promise<unknown>)[] = []
  const close = async () => {
    for (let step = closers.pop(); step; step = closers.pop()) await step()
  }
  if (!options.dataDirectory) closers.push(() => rm(data.path, { recursive: true, force: true }))

  try {
    let fail: (reason: Error) => void = () => {}
    const broken = new Promise<never>((_, reject) => {
      fail = reject
    })
    broken.catch(() => {})

    let databaseUrl = env.DATABASE_URL
    if (!databaseUrl) {
      const server = await startPostgres({ directory: join(data.path, 'postgres') })
      server.supervisor.once('exit', () => fail(new Error('PostgreSQL ended')))
      closers.push(server.stop)
      databaseUrl = server.url
    }
    await migrate(databaseUrl)
    const database = openDatabase({ url: databaseUrl, max: 8, applicationName: 'local-stack' })
    closers.push(database.close)

    const url = `http://localhost:${options.port}`
    const corsOrigins = env.CORS_ORIGINS.split(',').map((origin) => origin.trim())
    let store: ObjectStore
    let objects = env.S3_BUCKET ? 'S3' : 'a folder'
    let phase: 'LOCAL' | 'ALPHA' | 'RELEASE' = 'LOCAL'
    let presignedPuts: ReturnType<typeof fileRoutes> | undefined
    if (env.S3_BUCKET) {
      const settings = loadConfig(Type.Object(StoreSettings), process.env)
      phase = settings.PHASE
      const refused = await prepareBucket(s3From(settings), { corsOrigins })
      if (refused.length > 0) objects = `S3; to be set up there by hand: ${refused.join(', ')}`
      store = createS3Store(s3From(settings))
    } else {
      const secret = await keptSecret(data.path, 'url-secret')
      const fileStore = createFileStore({ directory: data.objects, publicUrl: url, secret })
      presignedPuts = fileRoutes({ store: fileStore, admit: admitUploads() })
      store = fileStore
    }
    closers.push(async () => store.close())

    const { db } = database
    const auth = { ...env, JWT_SECRET: env.JWT_SECRET ?? (await keptSecret(data.path, 'jwt-secret')) }
    const sign = tokenSigner(auth)
    const uploadLimit = env.UPLOAD_LIMIT_BYTES
    const host = await createHost({
      name: 'PlayTherapy',
      description: 'Cases, sessions, recordings, scripts and analysis reports: all services of the local stack.',
      auth: authFrom(auth),
      corsOrigins,
      logLevel: 'warn',
      requestsPerMinute: env.REQUESTS_PER_MINUTE,
      ready: { database: () => checkDatabase(db), objects: () => store.check() },
      apps: async (root) => {
        await root.register(contentsApp({ db, store, phase, timeZone: env.DATE_TIME_ZONE, uploadLimit }))
        await root.register(mediaApp({ db, store, phase, uploadLimit }))
        await root.register(scriptApp({ db, store, phase }))
        await root.register(signInApp, { prefix: '/auth/api', db, sign })
        if (presignedPuts) await root.register(presignedPuts)
      },
    })
    await host.listen({ host: 'localhost', port: options.port })
    closers.push(() => drain(host))

    const workers = Array.from({ length: options.workers }, () =>
      startWorker({
        ...process.env,
        DATABASE_URL: databaseUrl,
        QUEUE_URL: env.QUEUE_URL ?? databaseUrl,
        ...(!env.S3_BUCKET && { FILE_STORE_DIRECTORY: data.objects }),
        PHASE: phase,
        PORT: '0',
        HOST: '127.0.0.1',
        SCRATCH_DIRECTORY: data.scratch,
        FFMPEG_PATH: programs.ffmpeg,
        FFPROBE_PATH: programs.ffprobe,
        LOG_LEVEL: env.LOG_LEVEL,
      }),
    )
    for (const worker of workers) worker.once('exit', () => fail(new Error('a worker ended')))
    closers.push(() => Promise.all(workers.map(endWorker)))

    return {
      url,
      demoDirectory: data.demo,
      parts: {
        database: env.DATABASE_URL ? 'PostgreSQL of DATABASE_URL' : 'PostgreSQL, embedded',
        queue: env.QUEUE_URL ? `BullMQ on ${new URL(env.QUEUE_URL).protocol.slice(0, -1)}` : 'BullMQ on PostgreSQL',
        objects,
        workers: `${options.workers}`,
        ffmpeg: programs.origin,
      },
      mintToken: (userId) => sign({ user_id: userId }, 24),
      broken,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Starts a worker process. It ends when our process ends, because its channel to us is closed then. */
function startWorker(env: NodeJS.ProcessEnv): ChildProcess {
  const program = fileURLToPath(import.meta.resolve('@playtherapy/worker/server'))
  return fork(program, [], { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
}

/** Ends a worker by closing its channel, not by a signal: Ctrl-C in a terminal may have sent it one already. */
async function endWorker(worker: ChildProcess): Promise<void> {
  if (worker.exitCode !== null || worker.signalCode !== null) return
  const gone = once(worker, 'exit')
  const force = setTimeout(() => worker.kill('SIGKILL'), 7_000)
  if (worker.connected) worker.disconnect()
  await gone
  clearTimeout(force)
}
