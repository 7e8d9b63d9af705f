/** Bundled services survive, inside their memory limits, the attacks that once killed them; see `npm run limits`. */
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '@playtherapy/embedded-postgres'
import { programPath } from '@playtherapy/programs'
import postgres from 'postgres'
import t from 'tap'
import { type Teardown, testDatabase } from '../src/database.ts'
import { jwtSecret } from '../src/host.ts'
import type { Attack } from '../src/limits/attack.ts'
import { bodyAttacks } from '../src/limits/attacks/bodies.ts'
import { listAttacks } from '../src/limits/attacks/lists.ts'
import { scriptAttacks } from '../src/limits/attacks/scripts.ts'
import { openCgroup } from '../src/limits/cgroup.ts'
import { createTherapist } from '../src/limits/client.ts'
import { readCompose } from '../src/limits/compose.ts'
import { openGauge } from '../src/limits/gauge.ts'
import type { Stage } from '../src/limits/place.ts'
import { startLimited } from '../src/limits/process.ts'
import { testBucket } from '../src/stores.ts'

const skip = process.env.TEST_S3 ? false : 'needs an S3 server'
const composeFile = fileURLToPath(new URL('../../../docker-compose.yml', import.meta.url))

/** A service has to be ready again within this time after an attack, on a busy machine. */
const recoveryMs = 30_000

type Needed = Pick<Stage, 'therapist' | 'seconds' | 'sql'>

/** Starts contents and script, each with the memory, the core and the environment of its container. */
async function startServices(t: Teardown) {
  const { url, urls } = await testDatabase(t)
  const bucket = await testBucket()
  const containers = await readCompose(composeFile, { bucket, jwtSecret, publicUrl: bucket.endpoint ?? '' })
  const start = async (name: 'contents' | 'script') => {
    const container = containers.get(name)
    if (!container) throw new Error(`docker-compose.yml has no service ${name}`)
    const cgroup = await openCgroup(name, container).catch(() => openGauge(container))
    const started = await startLimited({
      name,
      cgroup,
      memoryBytes: container.memoryBytes,
      file: programPath(name),
      port: await freePort(),
      environment: {
        ...container.environment,
        DATABASE_URL: urls[name],
        S3_ENDPOINT: bucket.endpoint ?? '',
        S3_BUCKET: bucket.bucket,
        LOG_LEVEL: 'silent',
      },
      logFile: '/dev/null',
    })
    t.teardown(() => started.stop())
    return started
  }
  const [contents, script] = await Promise.all([start('contents'), start('script')])
  const sql = postgres(url, { max: 1 })
  t.teardown(() => sql.end())
  let users = 0
  const asking = (service: typeof contents): Needed => ({
    seconds: 2,
    sql,
    therapist() {
      const userId = ++users
      // Cases and sessions are always made by contents, whichever service is attacked.
      const { newCase, newSession } = createTherapist(contents.url, userId, jwtSecret)
      return { ...createTherapist(service.url, userId, jwtSecret), newCase, newSession }
    },
  })
  return { contents: asking(contents), script: asking(script), processes: { contents, script } }
}

const all: Attack<Needed>[] = [...bodyAttacks, ...listAttacks, ...scriptAttacks]
const attacksOn = {
  contents: ['unfinished-json', 'list-all'],
  script: ['saves', 'summary'],
} as const

for (const service of ['contents', 'script'] as const) {
  t.test(`${service} stays within its memory`, { skip }, async (t) => {
    const services = await startServices(t)
    const { cgroup, isAlive, isReady, memoryBytes } = services.processes[service]
    for (const name of attacksOn[service]) {
      const attack = all.find((each) => each.name === name)
      if (!attack) throw new Error(`no attack is called ${name}`)
      const strike = await attack.prepare(services[service])
      t.comment(`${attack.what}: ${await strike()}`)
      t.equal(await cgroup.oomKills(), 0, `no OOM kill by ${attack.what}`)
      if (!t.ok(isAlive(), 'the process is alive')) return
      const asked = Date.now()
      while (!(await isReady()) && isAlive() && Date.now() - asked < recoveryMs) await sleep(100)
      t.ok(await isReady(), 'the process is ready')
    }
    t.comment(`peak ${Math.round((await cgroup.peakBytes()) / 1024 ** 2)} of ${memoryBytes / 1024 ** 2} MiB`)
  })
}
