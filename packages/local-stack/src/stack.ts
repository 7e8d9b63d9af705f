import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { contentsApp } from '@playtherapy/contents/app'
import { startPostgres } from '@playtherapy/embedded-postgres'
import { checkQueue } from '@playtherapy/jobs'
import { mediaApp } from '@playtherapy/media/app'
import { checkDatabase, openDatabase } from '@playtherapy/schema'
import { migrate, type RoleUrls } from '@playtherapy/schema/migrate'
import { scriptApp } from '@playtherapy/script/app'
import { authFrom, drain, startHeartbeat, startTraces } from '@playtherapy/service-kit'
import { createHost } from '@playtherapy/service-kit/host'
import { keptSecret, openDataDirectory } from './data-directory.ts'
import type { Programs } from './ffmpeg.ts'
import type { StackOptions } from './options.ts'
import { consolePage } from './page.ts'
import { reach } from './reach.ts'
import type { Settings } from './settings.ts'
import { signInApp } from './sign-in/app.ts'
import { demoAccount, openAccounts } from './sign-in/demo-account.ts'
import { openStore } from './store.ts'
import { tokenSigner } from './tokens.ts'
import { endWorker, startWorker, takesJobs } from './workers.ts'

export interface Stack {
  /** The base URL of all services. */
  url: string
  /** The folder of the demo's clip. */
  demoDirectory: string
  /** A description of each part, to be printed. */
  parts: Record<string, string>
  /** Returns a token of the demo account, valid for so many hours. */
  mintDemoToken(hours: number): string
  /** Rejects, with the reason, as soon as a part that is needed has ended. */
  broken: Promise<never>
  /** Finishes running requests and jobs and ends all parts, each before those it depends on. */
  close(): Promise<void>
}

/** What PostgreSQL says on data that another server has open. */
const isOpen = /lock file "postmaster\.pid" already exists/

/** Starts PostgreSQL in the folder of all data. Throws, in words for people, when it runs there already. */
async function startDatabase(path: string) {
  return startPostgres({ directory: join(path, 'postgres') }).catch((error: unknown) => {
    if (!(error instanceof Error && isOpen.test(error.message))) throw error
    throw new Error(
      `PlayTherapy is already running on the data in ${path}: stop it first, or choose other data with \`npm start -- --data-dir DIR\` or \`--ephemeral\`.`,
    )
  })
}

/** The URLs of the processes: of roles of their own, with new passwords, on our own server; otherwise the one that is set. */
function urlsOfRoles(databaseUrl: string, isOurs: boolean): RoleUrls {
  const urlAs = (role: string) => {
    const url = new URL(databaseUrl)
    if (isOurs) Object.assign(url, { username: role, password: randomBytes(24).toString('hex') })
    return url.href
  }
  return { contents: urlAs('contents'), media: urlAs('media'), script: urlAs('script'), worker: urlAs('worker') }
}

/**
 * Starts all services on one port, the workers, and embedded servers for those that the environment does not name. If a
 * part cannot start, the others are stopped and the promise rejects.
 */
export async function startStack(options: StackOptions, env: Settings, programs: Programs): Promise<Stack> {
  const data = await openDataDirectory(options.dataDirectory)
  const closers: (() => Promise<unknown>)[] = []
  const close = async () => {
    for (let step = closers.pop(); step; step = closers.pop()) await step()
  }
  if (!options.dataDirectory) closers.push(() => rm(data.path, { recursive: true, force: true }))

  try {
    const traces = await startTraces('services', env)
    closers.push(traces.close)
    let fail: (reason: Error) => void = () => {}
    const broken = new Promise<never>((_, reject) => {
      fail = reject
    })
    broken.catch(() => {})

    let databaseUrl = env.DATABASE_URL
    if (!databaseUrl) {
      const server = await startDatabase(data.path)
      server.supervisor.once('exit', () => fail(new Error('PostgreSQL ended')))
      closers.push(server.stop)
      databaseUrl = server.url
    }
    const urls = urlsOfRoles(databaseUrl, !env.DATABASE_URL)
    await reach('The database', databaseUrl, migrate(databaseUrl, env.DATABASE_URL ? undefined : urls))
    const { QUEUE_URL: queueUrl, QUEUE_PREFIX: prefix } = env
    // Without workers nothing opens the queue.
    if (queueUrl && options.workers > 0) await reach('The queue', queueUrl, checkQueue({ url: queueUrl, prefix }))
    const open = (url: string, applicationName: string) => {
      const { db, close } = openDatabase({ url, max: 8, applicationName })
      closers.push(close)
      return db
    }
    const db = open(databaseUrl, 'local-stack')

    const url = `http://localhost:${options.port}`
    const corsOrigins = env.CORS_ORIGINS.split(',').map((origin) => origin.trim())
    const { store, what, routes } = await openStore(env, data, { db, publicUrl: url, corsOrigins })
    closers.push(async () => store.close())

    const { PHASE: phase, UPLOAD_LIMIT_BYTES: uploadLimit } = env
    const auth = { ...env, JWT_SECRET: env.JWT_SECRET ?? (await keptSecret(data.path, 'jwt-secret')) }
    const sign = tokenSigner(auth)
    const demoId = await openAccounts(db, !env.DATABASE_URL)
    const parts = {
      database: env.DATABASE_URL ? 'PostgreSQL of DATABASE_URL' : 'PostgreSQL, embedded',
      queue: env.QUEUE_URL ? `BullMQ on ${new URL(env.QUEUE_URL).protocol.slice(0, -1)}` : 'BullMQ on PostgreSQL',
      objects: what,
      workers: `${options.workers}`,
      ffmpeg: programs.origin,
    }
    const host = await createHost({
      name: 'PlayTherapy',
      description: 'Cases, sessions, recordings, scripts and analysis reports: all services of the local stack.',
      auth: authFrom(auth),
      corsOrigins,
      logLevel: env.LOG_LEVEL,
      requestsPerMinute: env.REQUESTS_PER_MINUTE,
      ready: { database: () => checkDatabase(db), objects: () => store.check() },
      apps: async (root) => {
        const shared = { store, phase, uploadLimit }
        const contents = open(urls.contents, 'contents')
        await root.register(contentsApp({ ...shared, db: contents, timeZone: env.DATE_TIME_ZONE }))
        await root.register(mediaApp({ ...shared, db: open(urls.media, 'media') }))
        await root.register(scriptApp({ ...shared, db: open(urls.script, 'script') }))
        await root.register(signInApp, { prefix: '/auth/api', db, sign })
        await root.register(consolePage)
        if (routes) await root.register(routes)
      },
    })
    traces.log = host.log
    await host.listen({ host: 'localhost', port: options.port })
    const heartbeat = startHeartbeat({ db, kind: 'services', log: host.log })
    closers.push(() => Promise.all([drain(host), heartbeat.close()]))

    const settings = {
      ...process.env,
      DATABASE_URL: urls.worker,
      QUEUE_URL: queueUrl ?? urls.worker,
      ...(!env.s3 && { FILE_STORE_DIRECTORY: data.objects }),
      PORT: '0',
      HOST: '127.0.0.1',
      SCRATCH_DIRECTORY: process.env.SCRATCH_DIRECTORY || data.scratch,
      FFMPEG_PATH: programs.ffmpeg,
      FFPROBE_PATH: programs.ffprobe,
      LOG_LEVEL: env.LOG_LEVEL,
    }
    const workers = Array.from({ length: options.workers }, () => startWorker(settings))
    closers.push(() => Promise.all(workers.map(endWorker)))
    await Promise.all(workers.map(takesJobs))
    for (const worker of workers) worker.once('exit', () => fail(new Error('a worker ended')))

    return {
      url,
      demoDirectory: data.demo,
      parts,
      mintDemoToken: (hours) => sign({ user_id: demoId, user_email: demoAccount.email, scope: 'operations' }, hours),
      broken,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
