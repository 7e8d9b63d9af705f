/** Faults of processes and of the servers that they need. */
import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from './fault.ts'

const psqlOf = (what: string) => `docker compose exec postgres psql -U playtherapy -c "${what}"`

/** The query of the paragraph NotReady, which shows transactions that last. */
const transactions = psqlOf(
  `select pid, application_name, state, wait_event_type, now() - xact_start as age, left(query, 60) as query from pg_stat_activity where xact_start is not null order by age desc limit 10`,
)

const ends: ((() => unknown) | undefined)[] = []
const end = async () => {
  await ends.pop()?.()
}

/** A session of psql that somebody leaves open after these statements. */
export const leftOpen = (url: string, statements: string): ChildProcess => {
  const child = spawn('psql', [url], { stdio: ['pipe', 'ignore', 'inherit'] })
  child.stdin?.write(`${statements}\n`)
  return child
}

export const serverFaults: Fault[] = [
  {
    alerts: ['ProcessDown'],
    made: 'media was killed (SIGKILL) and not started again',
    make: async ({ stack }) => stack.containers.media.hurt('SIGKILL'),
    look: [
      ['docker compose ps', /media Exited/],
      ['docker compose logs --tail 50 media', /listening|"level":30/],
    ],
    commands: ['docker compose up -d media'],
    ended: 'media ran again',
  },
  {
    alerts: ['GatewayDown'],
    made: 'nginx was ended and not started again',
    make: ({ stack }) => stack.gateway.stop(),
    look: [['docker compose ps gateway', /gateway Exited/]],
    commands: ['docker compose up -d --no-deps gateway'],
    ended: 'the gateway ran again',
  },
  {
    alerts: ['NoWorker', 'ProcessLost'],
    made: 'the only worker was killed (SIGKILL)',
    make: async ({ stack }) => stack.containers['worker-1'].hurt('SIGKILL'),
    look: [
      ['docker compose ps worker', /worker-1 Exited \(SIGKILL\)/],
      ['docker compose logs --tail 50 worker', /"level":30/],
    ],
    commands: ['docker compose up -d --no-deps --scale worker=2 worker'],
    mend: async ({ stack }) => {
      // The hour after which a lost process is forgotten is not waited for.
      await sleep(5_000)
      await stack.sql`update processes set seen_at = seen_at - interval '1 hour' where seen_at < now() - interval '30 s'`
    },
    ended: 'two workers ran. ProcessLost ended when the rows of the lost processes were made an hour older by hand',
  },
  {
    alerts: ['GaugesMissing'],
    made: 'the role of contents lost its right to read the outbox',
    make: ({ stack }) => stack.sql`revoke select on outbox from contents`,
    look: [
      [
        "docker compose logs --since 24h contents worker | grep 'metrics could not be read' | tail -3",
        /permission denied/,
      ],
    ],
    commands: ['docker compose run --rm migrate'],
    ended: '`migrate` gave the right back',
  },
  {
    alerts: ['NotReady'],
    made: 'somebody left a transaction open that locks the outbox',
    async make({ stack }) {
      const child = leftOpen(stack.database.url, 'begin; lock table outbox in access exclusive mode;')
      ends.push(() => child.kill('SIGKILL'))
    },
    look: [
      ["docker compose logs --since 24h worker | grep 'not ready' | tail -3", /outbox/],
      [transactions, /(\d+) \| psql +\| idle in transaction/],
    ],
    commands: [`docker compose exec postgres psql -U playtherapy -c 'select pg_terminate_backend(PID)'`],
    mend: end,
    ended: 'the query showed the transaction, and ending it freed the outbox',
  },
  {
    alerts: ['DatabaseOut', 'ReadsBurnFast', 'ReadsBurnSlow'],
    made: 'PostgreSQL was killed, while a therapist read ten times a second',
    async make({ stack, therapist, repeat }) {
      ends.push(repeat(therapist.read, 100))
      await sleep(2_000)
      await stack.database.part.kill('SIGKILL')
    },
    look: [[psqlOf('select count(*) from pg_stat_activity').replaceAll('"', "'"), /refused|failed/]],
    commands: ['docker compose restart postgres'],
    mend: async () => {
      // Reads go on, so that the objectives see that they succeed again.
      await sleep(100_000)
      await end()
    },
    ended: 'processes came back by themselves; the burns ended when their short window had no failure any more',
  },
  {
    alerts: ['StoreOut', 'UploadsBurnFast', 'UploadsBurnSlow'],
    made: 'the S3 server was killed, while a therapist uploaded',
    async make({ stack, therapist, clips, repeat }) {
      await stack.s3.kill()
      ends.push(repeat(() => therapist.upload(clips.short), 1_000))
    },
    look: [["docker compose logs --since 24h media | grep 'not ready' | tail -3", /objects/]],
    commands: ['docker compose restart s3', 'docker compose exec worker node programs/jobs.mjs retry all'],
    mend: async () => {
      await sleep(100_000)
      await end()
    },
    ended: 'uploads were stored again; the burns ended when their short window had no failure any more',
  },
  {
    alerts: ['QueueOut'],
    made: 'Redis was frozen (SIGSTOP)',
    make: async ({ stack }) => stack.redis.freeze(),
    look: [["docker compose logs --since 24h worker | grep 'not ready' | tail -3", /queue/]],
    commands: ['docker compose restart redis'],
    ended: 'workers came back by themselves, with the data of the file',
  },
  {
    alerts: ['StatementOutages'],
    made: 'somebody left a transaction open that locks the cases, while a therapist read 15 times at once',
    async make({ stack, therapist, repeat }) {
      const child = leftOpen(stack.database.url, 'begin; lock table cases in access exclusive mode;')
      const reads = repeat(() => Promise.all(Array.from({ length: 15 }, () => therapist.read())), 100)
      ends.push(async () => {
        child.kill('SIGKILL')
        await reads()
      })
    },
    look: [
      [
        "docker compose logs --since 15m contents media script | grep -E 'request failed|could not be read'",
        /57014|55P03/,
      ],
      [transactions, /(\d+) \| psql +\| idle in transaction/],
    ],
    commands: [`docker compose exec postgres psql -U playtherapy -c 'select pg_terminate_backend(PID)'`],
    mend: end,
    ended: 'the query showed the transaction, and ending it let the reads through',
  },
  {
    alerts: ['TokenKeysOld'],
    made: 'the key server failed, seen by a contents with a clock that is ten times as fast',
    async make({ stack }) {
      await stack.hasty.start()
      await stack.showTargets()
      // Without keys that were read once the metric has no value, and the process is not ready.
      const metrics = async () => (await fetch(`${stack.hasty.url}/metrics`)).text()
      while (!/^token_keys_age_seconds \d/m.test(await metrics())) await sleep(500)
      stack.keys.answer = (response) => response.writeHead(500).end()
    },
    look: [
      [
        "docker compose logs --since 24h contents media script | grep 'keys of tokens cannot be read' | tail -3",
        /500|status/,
      ],
    ],
    commands: [],
    async mend({ stack }) {
      stack.keys.answer = stack.publish
    },
    ended: 'those who run the key server mended it, and the keys were read again',
  },
]
