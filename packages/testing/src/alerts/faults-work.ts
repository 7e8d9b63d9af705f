/** Faults of jobs, of the audit trail, of disks and of load. */
import { execFile } from 'node:child_process'
import { appendFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Fault } from './fault.ts'
import { leftOpen } from './faults-servers.ts'
import { status } from './stack.ts'
import { therapist as another } from './therapist.ts'

const run = promisify(execFile)
const ends: ((() => unknown) | undefined)[] = []
const end = async () => {
  await ends.pop()?.()
}
const jobs = 'docker compose exec worker node programs/jobs.mjs'
const mebibyte = 1024 ** 2

/** The query of the paragraph AuditNotSealed. */
const writers = `docker compose exec postgres psql -U playtherapy -c "select pid, application_name, state, now() - xact_start as age from pg_stat_activity join pg_locks using (pid) where relation = 'audit_events'::regclass and mode = 'RowExclusiveLock' order by age desc"`

export const workFaults: Fault[] = [
  {
    alerts: ['JobsFailed'],
    made: 'the analyser refused its key (401)',
    async make({ stack, therapist }) {
      stack.analyser.answer = status(401)
      await therapist.saveScript()
    },
    look: [[jobs, /analyse-script/]],
    commands: [`${jobs} retry all`],
    async mendFirst({ stack }) {
      const entry = {
        category: 'Emotion Reflection',
        descriptions: 'b',
        level: 4,
        interactions: [{ C1: 'a', T1: 'b', TF: 'T', Description: 'c' }],
      }
      const content = JSON.stringify({ reports: [entry] })
      stack.analyser.answer = (response) =>
        response.end(JSON.stringify({ choices: [{ message: { role: 'assistant', content } }] }))
    },
    ended: 'the job showed its reason, and succeeded when the analyser worked',
  },
  {
    alerts: ['QueueOld'],
    made: 'the workers hung (SIGSTOP), and a recording was uploaded',
    async make({ stack, therapist, clips }) {
      for (const name of ['worker-1', 'worker-2'] as const) stack.containers[name].hurt('SIGSTOP')
      await therapist.upload(clips.short)
    },
    look: [],
    commands: ['docker compose restart worker'],
    ended: 'the workers were killed and started, and began the job',
  },
  {
    alerts: ['WebhookBacklog'],
    made: 'the receiver of webhooks answered 500',
    async make({ stack, therapist }) {
      stack.receiver.answer = status(500)
      await therapist.session()
    },
    look: [["docker compose logs --since 15m worker | grep 'a webhook did not arrive'", /500/]],
    commands: [],
    mend: async ({ stack }) => {
      stack.receiver.answer = status(200)
    },
    ended: 'those who run the receiver mended it, and it was told at the next attempt',
  },
  {
    alerts: ['WebhooksGivenUp'],
    made: 'the receiver of webhooks answered 410',
    async make({ stack, therapist }) {
      stack.receiver.answer = status(410)
      await therapist.session()
    },
    look: [[jobs, /send-webhook/]],
    commands: [`${jobs} retry all`],
    mendFirst: async ({ stack }) => {
      stack.receiver.answer = status(200)
    },
    ended: 'the receiver was told when it worked again',
  },
  {
    alerts: ['AuditNotSealed'],
    made: 'somebody left a transaction open that changed a case, while a therapist worked',
    async make({ stack, therapist }) {
      const child = leftOpen(stack.database.url, "begin; update cases set given_name = 'x';")
      ends.push(() => child.kill('SIGKILL'))
      await sleep(1_000)
      await (await another(stack, 99)).session()
      await therapist.read()
    },
    look: [[writers, /(\d+) \| psql +\| idle in transaction/]],
    commands: [`docker compose exec postgres psql -U playtherapy -c 'select pg_terminate_backend(PID)'`],
    mend: end,
    ended: 'the query showed the transaction, and ending it let all be sealed',
  },
  {
    alerts: ['DiskFullSoon'],
    made: 'something wrote 256 KiB a second to the disk of scratch files, of 256 MiB',
    async make({ stack, repeat }) {
      const file = join(stack.scratch, 'grows')
      await writeFile(file, '')
      ends.push(repeat(() => appendFile(file, Buffer.alloc(mebibyte / 4)), 1_000))
    },
    look: [['docker compose exec worker node programs/sweep-orphans.mjs --dry-run', /./]],
    commands: [],
    async mend({ stack }) {
      await end()
      await rm(join(stack.scratch, 'grows'))
      // The trend looks back over the rise and the fall.
      await sleep(30_000)
    },
    ended: 'what wrote was stopped and its file removed; the trend took the time of its window to see it',
  },
  {
    alerts: ['DiskFull'],
    made: 'the disk of scratch files was filled to 97 %',
    make: ({ stack }) => run('fallocate', ['-l', `${Math.floor(256 * 0.97)}M`, join(stack.scratch, 'full')]),
    look: [],
    commands: ['docker compose stop worker'],
    async mend({ stack, run: shell }) {
      await rm(join(stack.scratch, 'full'))
      await shell('docker compose up -d --no-deps --scale worker=2 worker')
    },
    ended: 'room was made, and the workers were started again',
  },
  {
    alerts: ['Overload'],
    made: 'twelve therapists uploaded eight recordings each to one media, very slowly',
    async make({ stack, repeat }) {
      const over = new AbortController()
      const users = await Promise.all(Array.from({ length: 12 }, (_, n) => another(stack, 200 + n)))
      const uploads = users.flatMap((user) =>
        Array.from({ length: 8 }, async () => user.slowUpload(await user.session(), over.signal)),
      )
      const last = await another(stack, 300)
      const session = await last.session()
      const more = repeat(
        () => last.slowUpload(session, AbortSignal.any([over.signal, AbortSignal.timeout(2_000)]), true),
        300,
      )
      ends.push(async () => {
        over.abort()
        await more()
        await Promise.all(uploads)
      })
    },
    look: [],
    commands: ['docker compose up -d --no-deps --no-recreate --scale media=2 --scale script=2 media script'],
    mend: async ({ stack }) => {
      await sleep(30_000)
      await end()
      await stack.containers['media-2'].stop()
      await stack.showTargets()
    },
    ended: 'further uploads went to the second media',
  },
  {
    alerts: ['PlayableBurnFast', 'PlayableBurnSlow'],
    made: 'the encoder began 28 s late at each run, and seven recordings were uploaded to a stack with one worker',
    async make({ stack, therapist, clips }) {
      await stack.containers['worker-2'].stop()
      await stack.showTargets()
      await stack.slowDown(28)
      await Promise.all(Array.from({ length: 7 }, () => therapist.upload(clips.short)))
    },
    look: [['docker stats --no-stream', /ffmpeg|sleep/]],
    commands: ['docker compose up -d --no-deps --no-recreate --scale worker=4 worker'],
    async mend({ stack }) {
      await stack.slowDown(0)
      await sleep(60_000)
    },
    ended: 'what had made the encoder slow was ended; the burns ended with their short window',
  },
  {
    alerts: ['EncodesBehind'],
    made: 'the encoder began 25 s late at each run, and a recording of ten minutes was uploaded to a stack with one worker',
    async make({ stack, therapist, clips }) {
      await stack.containers['worker-2'].stop()
      await stack.showTargets()
      await stack.slowDown(25)
      await therapist.upload(clips.long)
    },
    look: [['docker stats --no-stream', /ffmpeg|sleep/]],
    commands: ['docker compose up -d --no-deps --no-recreate --scale worker=4 worker'],
    mend: ({ stack }) => stack.slowDown(0),
    ended: 'two workers encoded what waited',
  },
  {
    alerts: ['AuditHeadsOld'],
    made: 'the database was replaced by a copy of its files from before the last head of the audit trail',
    async make({ stack, therapist }) {
      const { database, containers, directory, sql } = stack
      const data = join(directory, 'postgres/data')
      const ours = Object.values(containers).filter(({ isWanted }) => isWanted)
      const worker = containers['worker-1']
      const eachOf = (act: 'start' | 'stop') => Promise.all(ours.map((each) => each[act]()))
      await eachOf('stop')
      await database.part.kill('SIGTERM')
      await run('cp', ['-a', data, `${data}-before`])
      await database.part.restart()
      await eachOf('start')
      await therapist.session()
      await sleep(20_000)
      const [seals] = await sql`select count(*)::int as open from audit_events
        where id > (select coalesce(max(last_id), 0) from audit_seals)`
      if (seals?.open !== 0) throw new Error('the events were not sealed')
      // A worker writes a head when it starts.
      await worker.stop()
      await worker.start()
      await sleep(10_000)
      await eachOf('stop')
      await database.part.kill('SIGTERM')
      await run('rm', ['-r', data])
      await run('mv', [`${data}-before`, data])
      await database.part.restart()
      await eachOf('start')
      await stack.showTargets()
    },
    look: [
      [
        "docker compose logs --since 3h worker | grep 'audit heads'",
        /heads of the audit trail that the database does not have/,
      ],
      ['docker compose exec worker node programs/audit.mjs verify', /\d/],
    ],
    commands: ['docker compose exec worker node programs/audit.mjs continue', 'docker compose restart worker'],
    ended: '`continue` wrote down the restore, and the workers that were restarted found trail and heads to agree',
  },
]
