import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort, startPostgres } from '@playtherapy/embedded-postgres'
import type { S3Settings } from '@playtherapy/object-store'
import { nodeOptions, type Program } from '@playtherapy/programs'
import { Redis } from 'ioredis'
import postgres from 'postgres'
import { startNginx } from '../servers/nginx.ts'
import { startRedis } from '../servers/redis.ts'
import { startS3 } from '../servers/s3.ts'
import { openCgroup } from './cgroup.ts'
import { createTherapist, type Therapist, tokenOf } from './client.ts'
import { type Clips, openClips } from './clips.ts'
import { type Container, readCompose } from './compose.ts'
import { type Ended, type LimitedProcess, runLimited, startLimited } from './process.ts'

const programNames = ['contents', 'media', 'script', 'worker'] as const
/** Attacks last long enough for their effect to show on a slow machine. */
const seconds = 20

type ProgramName = (typeof programNames)[number]
export type Environments = Partial<Record<ProgramName, Record<string, string>>>
/** The gateway reads recordings from the store itself. */
export const throughGateway: Environments = { media: { PLAYBACK_ACCEL_PREFIX: '/objects/' } }

/** New processes for one attack; the servers behind them are shared by all attacks. */
export interface Stage {
  /** Address of the gateway. */
  url: string
  processes: Record<ProgramName, LimitedProcess>
  /** Returns a new therapist with a valid token. */
  therapist(): Therapist
  /** Returns the header `authorization` of a valid token with these claims. */
  authorization(claims: object): string
  /** Runs a command as the owner of the tables, inside the limits of a worker. */
  run(command: Program, args: string[]): Promise<Ended>
  /** Attacks that keep requests open or repeat them last this long. */
  seconds: number
  sql: postgres.Sql
  bucket: S3Settings
  clips: Clips
  /** Folder of the worker's scratch files. */
  scratch: string
  /** The gateway's memory limit, OOM kills and peak memory. */
  gateway: { memoryBytes: number; oomKills(): Promise<number>; peakBytes(): Promise<number> }
  close(): Promise<void>
}

export interface Place {
  openStage(environments?: Environments): Promise<Stage>
  /** Removes everything that belongs to therapists other than this one, jobs included. */
  forget(userId: number): Promise<void>
  stop(): Promise<void>
}

/**
 * Starts the servers and prepares database and bucket with the commands in `programs`, a `.build` folder. Compose file
 * and gateway configuration come from the checkout around that folder. The tested code is never imported, so that an
 * older checkout can be tested, too.
 */
export async function startPlace(programs: string): Promise<Place> {
  const checkout = join(programs, '..')
  const directory = await mkdtemp('/var/tmp/playtherapy-limits-')
  await chmod(directory, 0o755)
  const inDirectory = (name: string) => join(directory, name)
  const [redis, s3, pg, clips] = await Promise.all([
    startRedis(inDirectory('redis')),
    startS3(inDirectory('s3')),
    startPostgres({ directory: inDirectory('postgres') }),
    openClips(),
  ])
  const gatewayPort = await freePort()
  const gatewayUrl = `http://127.0.0.1:${gatewayPort}`
  const jwtSecret = randomBytes(32).toString('hex')
  const bucket = { ...s3.settings, bucket: 'playtherapy' }
  const operator = { bucket, jwtSecret, publicUrl: gatewayUrl }
  const compose = await readCompose(join(checkout, 'docker-compose.yml'), operator)
  // Ceph's RADOS Gateway replaces Garage, whose keys are made in another way.
  const addresses = {
    DATABASE_URL: pg.url,
    S3_ENDPOINT: bucket.endpoint ?? '',
    QUEUE_URL: redis.url,
    GARAGE_ADMIN_URL: '',
  }
  const container = (name: string): Container => {
    const found = compose.get(name)
    if (!found) throw new Error(`docker-compose.yml has no service ${name}`)
    const environment = { ...found.environment }
    for (const [name, address] of Object.entries(addresses)) if (name in environment) environment[name] = address
    return { ...found, environment }
  }
  const command = async (service: string, name: Program) => {
    const env = { PATH: process.env.PATH, ...container(service).environment }
    const file = join(programs, 'programs', `${name}.mjs`)
    await promisify(execFile)(process.execPath, [...nodeOptions, file], { env, cwd: '/' })
  }
  const postgresGroup = await openCgroup('postgres', container('postgres'))
  const [postmaster] = (await readFile(inDirectory('postgres/data/postmaster.pid'), 'utf8')).split('\n')
  await postgresGroup.add(Number(postmaster))
  await command('migrate', 'migrate')
  await command('bucket', 'prepare-bucket')
  const sql = postgres(pg.url, { max: 4, onnotice: () => {} })
  const queue = new Redis(redis.url)
  const ports = Object.fromEntries(
    await Promise.all(programNames.map(async (name) => [name, await freePort()] as const)),
  )
  let users = 1_000
  let closeStage = async () => {}

  return {
    async openStage(environments = {}) {
      const scratch = inDirectory('scratch')
      await mkdir(scratch, { recursive: true })
      const start = async (name: ProgramName) => {
        const limits = container(name)
        const more = { ...(name === 'worker' && { SCRATCH_DIRECTORY: scratch }), ...environments[name] }
        return startLimited({
          name,
          memoryBytes: limits.memoryBytes,
          environment: { ...limits.environment, ...more },
          cgroup: await openCgroup(name, limits),
          file: join(programs, 'programs', `${name}.mjs`),
          port: Number(ports[name]),
          logFile: inDirectory(`${name}.log`),
        })
      }
      const [contents, media, script, worker] = await Promise.all([
        start('contents'),
        start('media'),
        start('script'),
        start('worker'),
      ])
      const processes = { contents, media, script, worker }
      const limits = container('gateway')
      const group = await openCgroup('gateway', limits)
      const nginx = await startNginx(
        inDirectory('nginx'),
        { contents: contents.url, media: media.url, script: script.url, store: bucket.endpoint ?? '' },
        { file: join(checkout, '.docker/nginx.conf'), port: gatewayPort, inside: group.inside },
      )
      closeStage = async () => {
        closeStage = async () => {}
        await nginx.stop()
        await group.remove()
        await Promise.all(Object.values(processes).map((each) => each.stop()))
      }
      return {
        url: nginx.url,
        processes,
        therapist: () => createTherapist(nginx.url, ++users, jwtSecret),
        authorization: (claims) => `Bearer ${tokenOf(claims, jwtSecret)}`,
        run: async (name, args) => {
          const limits = container('worker')
          const cgroup = await openCgroup(name, limits)
          const { environment } = limits
          return runLimited({ cgroup, environment, file: join(programs, 'programs', `${name}.mjs`), args })
        },
        seconds,
        sql,
        bucket,
        clips,
        scratch,
        gateway: { memoryBytes: limits.memoryBytes, oomKills: group.oomKills, peakBytes: group.peakBytes },
        close: closeStage,
      }
    },
    async forget(userId) {
      await queue.flushall()
      await sql`truncate outbox`
      await sql`delete from cases where user_id <> ${userId}`
      await rm(inDirectory('scratch'), { recursive: true, force: true })
    },
    async stop() {
      await closeStage()
      queue.disconnect()
      await sql.end({ timeout: 5 })
      await Promise.all([pg.stop(), redis.kill(), s3.stop(), clips.remove()])
      await postgresGroup.remove()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
