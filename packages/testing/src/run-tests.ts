/**
 * `npm test` after its checks: starts the real servers, runs tap against them, stops them, and names them. Arguments
 * go to tap, so `npm test -- services/script/test/scripts.test.ts` runs one file.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '@playtherapy/embedded-postgres'
import { buildPrograms } from '@playtherapy/programs'
import { migrate } from '@playtherapy/schema/migrate'
import { prepareTemplate } from './database.ts'
import { installMissing, isMissing } from './install.ts'
import { startRedis } from './servers/redis.ts'
import { startS3 } from './servers/s3.ts'

await installMissing()
const directory = await mkdtemp(join(tmpdir(), 'playtherapy-test-'))
// As root PostgreSQL runs as another user, which has to get through.
await chmod(directory, 0o755)
const stop: (() => Promise<void>)[] = [() => rm(directory, { recursive: true, force: true })]
const servers: string[] = []

const started = performance.now()
const postgresServer = await startPostgres({
  directory: join(directory, 'postgres'),
  settings: ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off'],
})
stop.unshift(postgresServer.stop)
process.env.TEST_DATABASE_URL = postgresServer.url
await prepareTemplate(migrate)
servers.push('PostgreSQL 18 (embedded)')

/** A machine without a server still tests the rest, and the last lines say what was left out; CI insists. */
async function optional<T>(name: string, starting: Promise<T>): Promise<T | undefined> {
  try {
    const server = await starting
    servers.push(name)
    return server
  } catch (error) {
    if (process.env.CI) throw error
    missing.push(name)
    return undefined
  }
}
const missing: string[] = []
const [redis, s3] = await Promise.all([
  optional('Redis (redis-server)', startRedis(join(directory, 'redis'))),
  optional('S3 (Ceph RADOS Gateway)', startS3(join(directory, 's3'))),
  buildPrograms(),
])
if (redis) {
  stop.unshift(redis.kill)
  process.env.TEST_REDIS_URL = redis.url
}
if (s3) {
  stop.unshift(s3.stop)
  process.env.TEST_S3 = JSON.stringify(s3.settings)
}

const without: string[] = []
if (await isMissing('ffmpeg')) {
  if (process.env.CI) throw new Error('ffmpeg is not installed')
  missing.push('ffmpeg')
  for (const files of [
    'services/worker/test/{crash,encode,transcribe}',
    'packages/local-stack/test/{pipeline,faults/*}',
  ]) {
    without.push(`--exclude=${files}.test.ts`)
  }
}
const tap = spawn('npx', ['tap', 'run', ...without, ...process.argv.slice(2)], { stdio: 'inherit' })
process.on('SIGINT', () => {})
process.on('SIGTERM', () => tap.kill())
const [code] = await once(tap, 'exit')

for (const step of stop) await step()
console.log(`\nServers that took part: ${servers.join(', ')}.`)
if (missing.length > 0) console.log(`Left out, because they are not installed or did not start: ${missing.join(', ')}.`)
console.log(`Tests took ${Math.round((performance.now() - started) / 1000)} s.`)
process.exit(code ?? 1)
