/** Services die between a change and its event: there is never one without the other. */
import { type ChildProcess, fork } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { jwtSecret, sourceOptions, testDatabase, until } from '@playtherapy/testing'
import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'

/** How often the services are killed, and how many requests come at the same time. */
const [deaths, clients] = [2, 8]

function tokenOf(userId: number): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const exp = Math.floor(Date.now() / 1000) + 3_600
  const input = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ user_id: userId, exp })}`
  return `${input}.${createHmac('sha256', jwtSecret).update(input).digest('base64url')}`
}

t.test('each change has its event and each event its change, whenever the services are killed', async (t) => {
  const { url, sql } = await testDatabase(t)
  const headers = { authorization: `Bearer ${tokenOf(7)}`, 'content-type': 'application/json' }
  const file = fileURLToPath(new URL('../all-services.ts', import.meta.url))
  const start = async (): Promise<{ child: ChildProcess; address: string }> => {
    const child = fork(file, [url, t.testdir()], { execArgv: sourceOptions })
    t.teardown(() => child.kill('SIGKILL'))
    const [address] = await once(child, 'message')
    return { child, address: String(address) }
  }
  /** The ids of cases that were shown. */
  const shown: number[] = []
  /** Creates, changes and deletes cases until the services are gone. */
  async function work(address: string): Promise<void> {
    const send = async (method: string, path: string, body?: object) => {
      const sent = { method, headers, ...(body && { body: JSON.stringify(body) }) }
      const answer = await fetch(`${address}/contents/api/case${path}`, sent)
      return Value.Parse(Type.Object({ id: Type.Optional(Type.Integer()) }), Object(await answer.json()))
    }
    try {
      for (let n = 0; ; n++) {
        const { id = 0 } = await send('POST', '', { given_name: 'A' })
        await send('PUT', `/${id}`, { given_name: 'A', description: { n } })
        await send('GET', `/${id}`)
        shown.push(id)
        if (n % 3 === 0) await send('DELETE', `/${id}`)
      }
    } catch {
      // The services were killed.
    }
  }
  for (let death = 0; death < deaths; death++) {
    const { child, address } = await start()
    const working = Array.from({ length: clients }, () => work(address))
    const enough = shown.length + 5 + 10 * Math.random()
    await until('some cases', () => shown.length > enough)
    child.kill('SIGKILL')
    await Promise.all(working)
  }
  // A statement that had reached the database may end after its client.
  await sql`select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`
  const idsOf = async (action: string) =>
    (
      await sql`select distinct case_id as id from audit_events where kind = 'case' and action = ${action} order by id`
    ).map(({ id }) => id)
  const [created, updated, deleted, read] = await Promise.all(['create', 'update', 'delete', 'read'].map(idsOf))
  const left = (await sql`select id from cases order by id`).map(({ id }) => id)
  t.same(
    created?.filter((id) => !deleted?.includes(id)),
    left,
    'cases are those that were created and not deleted',
  )
  const changed = (await sql`select id from cases where description <> '{}' order by id`).map(({ id }) => id)
  t.same(
    updated?.filter((id) => !deleted?.includes(id)),
    changed,
  )
  t.same(
    shown.filter((id) => !read?.includes(id)),
    [],
    'what was shown was told',
  )
  const counts =
    await sql`select case_id from audit_events where action = 'create' group by case_id having count(*) > 1`
  t.same([...counts], [], 'and once')
})
