/**
 * `npm test`: starts the real servers while `npm run check` runs, then runs tap against them, and stops and lists them.
 * Arguments are passed to tap, so `npm test -- services/script/test/save.test.ts` runs one file, and no check.
 */
import { join } from 'node:path'
import { buildPrograms } from '@playtherapy/programs'
import { failuresSince } from './failures.ts'
import { answerHelp } from './help.ts'
import { installMissing, isMissing } from './install.ts'
import { runHere, runTap } from './run-tap.ts'
import { startRedis } from './servers/redis.ts'
import { startS3 } from './servers/s3.ts'
import { startTestDatabase } from './servers/test-database.ts'

answerHelp('npm test -- [FILE…]: runs the checks and all tests, or these alone, against all real servers.')
const args = process.argv.slice(2)
const checking = args.length > 0 ? 0 : runHere('npx', ['-y', 'pnpm@10.34.9', 'run', 'check'])
await installMissing()
const started = performance.now()
const database = await startTestDatabase()
const { directory } = database
const stop = [database.stop]
const servers = ['PostgreSQL 18 (embedded)']

/** Without this server the other tests still run, and the last lines name what is missing. In CI that is an error. */
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
const testing = Date.now()
const code = (await checking) || (await runTap([...without, ...args]))

for (const step of stop) await step()
const failures = code === 0 ? [] : await failuresSince(testing)
if (failures.length > 0) console.log(['\nWhat failed:', ...failures].join('\n'))
console.log(`\nServers that took part: ${servers.join(', ')}.`)
if (missing.length > 0) console.log(`Left out, because they are not installed or did not start: ${missing.join(', ')}.`)
console.log(`Tests took ${Math.round((performance.now() - started) / 1000)} s.`)
process.exit(code)
