/** What the audit trail is told of cases and sessions, and what their therapist sees of it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { contents } from './support.ts'

t.test('a therapist sees who saw and changed what of a case, page by page', async (t) => {
  const { call, newCase, newSession, db } = await contents(t)
  const caseId = await newCase(7)
  const sessionId = await newSession(7, caseId)
  await call(7, 'GET', `/${caseId}`)
  await call(7, 'PUT', `/${caseId}/session/${sessionId}`, { data: { name: '민수' } })
  await call(8, 'GET', `/${caseId}`)
  await call(7, 'DELETE', `/${caseId}/session/${sessionId}`)
  await newCase(7)
  const [status, body] = await call(7, 'GET', `/${caseId}/audit`)
  t.equal(status, 200)
  const by = (user_id: number) => ({ actor: 'therapist', user_id, address: '127.0.0.1', version: null })
  t.match(body, [
    { ...by(7), action: 'delete', kind: 'session', session_id: sessionId, result: 0 },
    { ...by(8), action: 'refused', kind: 'case', session_id: null, result: 2 },
    { ...by(7), action: 'update', kind: 'session', session_id: sessionId, result: 0 },
    { ...by(7), action: 'read', kind: 'case', session_id: null, result: 0 },
    { ...by(7), action: 'create', kind: 'session', session_id: sessionId, result: 0 },
    { ...by(7), action: 'create', kind: 'case', session_id: null, result: 0 },
  ])
  t.equal(Array.isArray(body) && body.length, 6)

  t.match(await call(8, 'GET', `/${caseId}/audit`), [400, { error_code: 2 }])
  for (let i = 0; i < 97; i++) await call(7, 'GET', `/${caseId}`)
  const [, page] = await call(7, 'GET', `/${caseId}/audit`)
  t.match(page, [{ action: 'read', kind: 'case' }])
  t.equal(Array.isArray(page) && page.length, 100)
  const last: unknown = Array.isArray(page) && page.at(-1).id
  const [, rest] = await call(7, 'GET', `/${caseId}/audit?before=${last}`)
  const oldest = ['refused', 'update', 'read', 'create', 'create']
  t.match(
    rest,
    oldest.map((action) => ({ action })),
  )
  t.equal(Array.isArray(rest) && rest.length, oldest.length)

  const all = await db.execute(sql`select * from audit_events`)
  t.notMatch(JSON.stringify(all), /민수|지우/, 'no event has a name')
})

t.test('a creation that is repeated shows what is there, and a change that fails leaves no event', async (t) => {
  const { call, db, host } = await contents(t)
  const actions = async () =>
    (await db.execute(sql`select action from audit_events order by id`)).map(({ action }) => action)
  const keyed = { ...host.as(7), 'idempotency-key': 'k' }
  const body = { given_name: '지우' }
  t.match(await call(keyed, 'POST', '', body), [200])
  t.match(await call(keyed, 'POST', '', body), [200])
  t.match(await call(7, 'POST', '', { given_name: 7 }), [422])
  t.same(await actions(), ['create', 'read', 'refused'])
  await db.execute(sql`alter table audit_events add check (false) not valid`)
  t.match(await call(7, 'POST', '', body), [500])
  t.match(await call(7, 'GET', ''), [503, { error_code: 10 }])
  await db.execute(sql`alter table audit_events drop constraint audit_events_check`)
  t.equal((await db.execute(sql`select from cases`)).length, 1, 'the case was not created without its event')
})

for (const what of ['case', 'session'] as const) {
  t.test(`of requests at once that create one ${what} each shows it, and each has its event`, async (t) => {
    const { call, newCase, db, host } = await contents(t)
    const caseId = await newCase(7)
    const path = what === 'case' ? '' : `/${caseId}/session`
    const body = what === 'case' ? { given_name: '지우' } : { data: { name: '지우' } }
    const [last] = await db.execute<{ id: number }>(sql`select max(id)::int as id from audit_events`)
    const { asked } = await db.transaction(async (tx) => {
      // Each of them has inserted its row before one of them can insert the key.
      await tx.execute(sql`lock table idempotency_keys in share mode`)
      const post = () => call({ ...host.as(7), 'idempotency-key': 'k' }, 'POST', path, body)
      const asked = Promise.all([post(), post(), post()])
      for (let waiting = 0; waiting < 3; await sleep(20)) {
        const [row] = await tx.execute<{ count: number }>(
          sql`select count(*)::int as count from pg_locks where relation = 'idempotency_keys'::regclass and not granted`,
        )
        waiting = row?.count ?? 0
      }
      return { asked }
    })
    const answers = await asked
    for (const answer of answers) t.strictSame(answer, answers[0])
    t.equal(answers[0]?.[0], 200)
    const events = await db.execute(
      sql`select action, kind, user_id, case_id is not null as names_case, result from audit_events
        where id > ${last?.id} order by action`,
    )
    const event = { kind: what, user_id: 7, names_case: true, result: 0 }
    t.match(events, [
      { ...event, action: 'create' },
      { ...event, action: 'read' },
      { ...event, action: 'read' },
    ])
    t.equal(events.length, 3)
  })
}

t.test('events that come together are written together', async (t) => {
  const { call, newCase, db } = await contents(t)
  const caseId = await newCase(7)
  const statements = async () =>
    Number(
      (await db.execute(sql`select count(distinct at) as count from audit_events where action = 'read'`))[0]?.count,
    )
  const before = await statements()
  // A database that is slow for a while: the first statement waits, and the other events come meanwhile.
  const answers = await db.transaction(async (tx) => {
    await tx.execute(sql`lock table audit_events in exclusive mode`)
    const asked = Promise.all(Array.from({ length: 100 }, () => call(7, 'GET', `/${caseId}`)))
    await sleep(500)
    return { asked }
  })
  t.ok((await answers.asked).every(([status]) => status === 200))
  t.equal(Number((await db.execute(sql`select count(*) from audit_events where action = 'read'`))[0]?.count), 100)
  t.ok((await statements()) - before < 60, 'by fewer statements')
})
