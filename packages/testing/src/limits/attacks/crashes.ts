import { execFile } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Attack, insist, tally } from '../attack.ts'
import { type Answer, parse } from '../client.ts'
import type { LimitedProcess } from '../process.ts'

const run = promisify(execFile)
const nameOf = (pid: number) => readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')
const filesIn = (folder: string) => readdir(folder, { recursive: true }).catch(() => [])

async function encoders({ cgroup }: LimitedProcess): Promise<number> {
  const names = await Promise.all((await cgroup.pids()).map(nameOf))
  return names.filter((name) => name.startsWith('ffmpeg')).length
}

/** Waits until a condition is true, at most `mostSeconds`. Returns the seconds waited, or Infinity if it never was. */
async function secondsUntil(condition: () => Promise<boolean>, mostSeconds: number): Promise<number> {
  for (const start = Date.now(); Date.now() - start < mostSeconds * 1000; await sleep(250)) {
    if (await condition()) return Math.round((Date.now() - start) / 1000)
  }
  return Number.POSITIVE_INFINITY
}

const idOf = (answer: Answer): number | string => {
  const body = answer.status === 200 ? parse(answer) : undefined
  return typeof body === 'object' && body !== null && 'id' in body ? `id ${body.id}` : answer.status
}

/** A crash, a full disk, and retries after a lost response. */
export const crashAttacks: Attack[] = [
  {
    name: 'kill-worker',
    what: 'kill -9 of the worker in the middle of an encode whose session is then deleted',
    async prepare(stage) {
      const hostile = stage.therapist()
      const clip = await stage.clips.get('lengthy.mkv')
      return async () => {
        const { worker } = stage.processes
        const session = await hostile.newSession()
        await hostile.sendFile(`${session}/video`, 'file', clip)
        const started = await secondsUntil(async () => (await encoders(worker)) > 0, 60)
        insist(Number.isFinite(started), 'the encode did not start')
        await sleep(2_000)
        process.kill(worker.pid(), 'SIGKILL')
        const ended = await secondsUntil(async () => (await encoders(worker)) === 0, 10)
        await hostile.send('DELETE', session)
        await worker.start()
        const swept = await secondsUntil(async () => (await filesIn(stage.scratch)).length === 0, 90)
        const seen = `ffmpeg ended after ${ended} s, scratch files removed after ${swept} s`
        insist(ended <= 5 && swept <= 75, seen)
        return seen
      }
    },
  },
  {
    name: 'full-disk',
    what: 'a full scratch disk of the worker',
    async prepare(stage) {
      const { worker } = stage.processes
      return async () => {
        await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', stage.scratch])
        try {
          await writeFile(join(stage.scratch, 'filling'), Buffer.alloc(8 * 1024 ** 2)).catch(() => {})
          const seconds = await secondsUntil(async () => !(await worker.isReady()), 30)
          insist(Number.isFinite(seconds), 'the worker is ready after 30 s of a full disk')
          return `the worker was not ready after ${seconds} s`
        } finally {
          await run('umount', ['--lazy', stage.scratch])
        }
      }
    },
  },
  {
    name: 'retried-posts',
    what: 'POST of a case and of a session, each sent again and at once with the same Idempotency-Key',
    async prepare(stage) {
      const [therapist, other] = [stage.therapist(), stage.therapist()]
      const casePath = await therapist.newCase()
      return async () => {
        const key = { 'idempotency-key': '"8e03978e-40d5-43dd-bc93-6894a57f9324"' }
        const another = { 'idempotency-key': '"5f1f0f6c-4a58-4b5d-9a4a-6a1f2c0a3a10"' }
        const body = { given_name: 'twice' }
        const postCase = () => therapist.sendJson('POST', '/case', body, key)
        const postSession = () =>
          therapist.sendJson('POST', `${casePath}/session`, { data: { name: 'twice' } }, another)
        const first = await postCase()
        const cases = [first, ...(await Promise.all([postCase(), postCase()]))]
        const sessions = await Promise.all([postSession(), postSession(), postSession()])
        sessions.push(await postSession())
        const otherBody = await therapist.sendJson('POST', '/case', { given_name: 'other' }, key)
        const otherCaller = await other.sendJson('POST', '/case', body, key)
        const ids = (answers: Answer[]) => new Set(answers.filter(({ status }) => status === 200).map(idOf)).size
        const seen = [
          `cases ${tally(cases.map(idOf))}`,
          `sessions ${tally(sessions.map(idOf))}`,
          `another body ${otherBody.status}`,
          `another caller ${idOf(otherCaller)}`,
        ].join('; ')
        insist(ids(cases) === 1 && ids(sessions) === 1, seen)
        insist(otherBody.status === 422 && otherCaller.status === 200 && idOf(otherCaller) !== idOf(first), seen)
        return seen
      }
    },
  },
]
