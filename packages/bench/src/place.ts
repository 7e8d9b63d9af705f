import { type ChildProcess, spawn } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort, startPostgres } from '@playtherapy/embedded-postgres'
import { prepareBucket, type S3Settings } from '@playtherapy/object-store'
import { nodeOptions, type Program, programPath } from '@playtherapy/programs'
import { migrate } from '@playtherapy/schema/migrate'
import { startRedis, startS3 } from '@playtherapy/testing'
import postgres from 'postgres'

export interface Running {
  url: string
  pid: number
  /** Time from its start to its first successful response. */
  startMs: number
  stop(): Promise<void>
}

interface Started {
  /** One of our programs, or a peer: a file of `peers`. */
  program: Program | { peer: string }
  args?: string[]
  env?: NodeJS.ProcessEnv
  /** The only core on which it and its children run; any by default. */
  core?: number
  /** Path that returns 200 once the program is ready. */
  ready: string
}

/** The place where rows run: real servers, each started when a row first needs it, and processes of ours. */
export interface Place {
  /** A folder for the run, on a disk. */
  directory: string
  /** Returns the URL of the migrated database of this name, which is created at the first call. */
  database(name: string): Promise<string>
  redis(): Promise<string>
  /** Returns the settings of the object store and its one bucket. */
  bucket(): Promise<S3Settings>
  /** Returns the environment of a service or worker on this database. */
  settings(databaseUrl: string): Promise<NodeJS.ProcessEnv>
  /** Returns the Authorization header of a therapist. */
  as(userId: number): { authorization: string }
  /** That of an operator. */
  asOperator(): { authorization: string }
  /** Secret of all tokens here, HS256. */
  jwtSecret: string
  /** Starts a program as a process of its own and waits until it is ready. */
  start(started: Started): Promise<Running>
  stop(): Promise<void>
}

/** A process has to be ready within this time. */
const mostStartMs = 60_000

/** Prepares a place; a server starts when a row first needs it. */
export async function openPlace(): Promise<Place> {
  const directory = await mkdtemp('/var/tmp/playtherapy-bench-')
  // PostgreSQL may run as another user.
  await chmod(directory, 0o755)
  const jwtSecret = randomBytes(32).toString('hex')
  const closing: (() => Promise<unknown>)[] = []
  const lazily = <T>(begin: () => Promise<T>) => {
    let begun: Promise<T> | undefined
    return () => {
      begun ??= begin()
      return begun
    }
  }

  const server = lazily(async () => {
    const settings = ['max_connections=200', 'shared_buffers=512MB', 'max_wal_size=4GB']
    const running = await startPostgres({ directory: join(directory, 'postgres'), settings })
    closing.push(() => running.stop())
    return running.url
  })
  const databases = new Map<string, Promise<string>>()
  const makeDatabase = async (name: string) => {
    const sql = postgres(await server(), { max: 1, onnotice: () => {} })
    await sql`create database ${sql(name)}`
    await sql.end()
    const url = new URL(await server())
    url.pathname = `/${name}`
    await migrate(url.href)
    return url.href
  }
  const bucket = lazily(async () => {
    const s3 = await startS3(join(directory, 's3'))
    closing.push(() => s3.stop())
    const settings = { ...s3.settings, bucket: 'bench' }
    await prepareBucket(settings, { corsOrigins: ['http://localhost:3000'] })
    return settings
  })
  const redis = lazily(async () => {
    const running = await startRedis(join(directory, 'redis'))
    closing.push(() => running.kill())
    return running.url
  })

  const processes = new Set<ChildProcess>()
  process.on('exit', () => {
    for (const child of processes) child.kill('SIGKILL')
  })

  async function start({ program, args = [], env = {}, core, ready }: Started): Promise<Running> {
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const [options, file] =
      typeof program === 'string'
        ? [nodeOptions, programPath(program)]
        : [['--import=tsx'], join(import.meta.dirname, 'peers', program.peer)]
    const began = performance.now()
    const pinned = core === undefined ? [] : ['taskset', '-c', `${core}`]
    const [command = '', ...rest] = [...pinned, process.execPath, ...options, file, ...args]
    const child = spawn(command, rest, {
      env: { ...process.env, NODE_NO_WARNINGS: '1', ...env, HOST: '127.0.0.1', PORT: `${port}` },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    processes.add(child)
    const exited = once(child, 'exit')
    child.once('exit', () => processes.delete(child))
    const stop = async () => {
      child.kill('SIGTERM')
      const hard = setTimeout(() => child.kill('SIGKILL'), 12_000)
      await exited
      clearTimeout(hard)
    }
    closing.push(async () => processes.has(child) && (await stop()))
    while (performance.now() - began < mostStartMs) {
      if (!child.pid || child.exitCode !== null) throw new Error(`${file} ended at once`)
      const answer = await fetch(url + ready).catch(() => undefined)
      if (answer?.ok) return { url, pid: child.pid, startMs: performance.now() - began, stop }
      await sleep(10)
    }
    throw new Error(`${file} did not become ready`)
  }

  return {
    directory,
    database(name) {
      const made = databases.get(name) ?? makeDatabase(name)
      databases.set(name, made)
      return made
    },
    redis,
    bucket,
    async settings(databaseUrl) {
      const s3 = await bucket()
      return {
        DATABASE_URL: databaseUrl,
        S3_ENDPOINT: s3.endpoint,
        S3_BUCKET: s3.bucket,
        S3_ACCESS_KEY_ID: s3.accessKeyId,
        S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
        JWT_SECRET: jwtSecret,
        REQUESTS_PER_MINUTE: '100000000',
        LOG_LEVEL: 'error',
        // A worker lets nobody else into its own, and PostgreSQL has to reach its files by the one above.
        SCRATCH_DIRECTORY: join(directory, 'scratch'),
      }
    },
    jwtSecret,
    as: (userId) => ({ authorization: `Bearer ${sign({ user_id: userId }, jwtSecret)}` }),
    asOperator: () => ({ authorization: `Bearer ${sign({ scope: 'operations' }, jwtSecret)}` }),
    start,
    async stop() {
      for (const close of closing.toReversed()) await close()
      await rm(directory, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Returns an HS256 token that is valid for a day. */
function sign(claims: object, secret: string): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const exp = Math.floor(Date.now() / 1000) + 86_400
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ ...claims, exp })}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}
