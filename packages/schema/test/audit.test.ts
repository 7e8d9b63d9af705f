import { because, cases, openDatabase, ownCase } from '@playtherapy/schema'
import { migrate } from '@playtherapy/schema/migrate'
import { seedSession, testCause, testDatabase } from '@playtherapy/testing'
import { and, sql } from 'drizzle-orm'
import t from 'tap'

const names = ['actor', 'user_id', 'action', 'kind', 'case_id', 'session_id', 'version', 'request_id', 'address']

/** A database with a session of therapist 7, and what the trail has got since. */
async function session(t: Parameters<typeof testDatabase>[0]) {
  const { db, sql: client, url } = await testDatabase(t)
  const { caseId, sessionId } = await seedSession(db, 7)
  const [last] = await client`select max(id) as id from audit_events`
  const events = async () =>
    (await client`select * from audit_events where id > ${last?.id} order by id`).map((row) =>
      names.map((name) => row[name]),
    )
  return { db, client, url, caseId, sessionId, events }
}

t.test('each change of a case and of what is below it is written, and its deletion once', async (t) => {
  const { client, caseId, sessionId, events } = await session(t)
  await client`update cases set case_state_id = 2`
  await client`update cases set given_name = given_name`
  await client`update sessions set name = 'x'`
  await client`update sessions set last_script_version = 1`
  const described = { container: 'mp4', size: 1, etag: '"1"' }
  const [video] =
    await client`insert into videos ${client({ session_id: sessionId, state: 'receiving', path: 'p' })} returning id`
  await client`update videos set received = 1`
  await client`update videos set ${client(described)}, state = 'stored', stored_at = now()`
  await client`update videos set state = 'encoding'`
  await client`insert into videos ${client({ session_id: sessionId, state: 'presigned', path: 'q' })}`
  await client`delete from videos where state = 'presigned'`
  await client`insert into script_versions ${client({ session_id: sessionId, version: 3, path: 's', size: 1, user_id: 7 })}`
  await client`update script_versions set state = 'stored', etag = '"1"'`
  await client`delete from cases`
  const next = (video?.id ?? 0) + 1
  const event = (action: string, kind: string, session: number | null, version: number | null) => [
    ...['command', null, action, kind, caseId, session, version, null, null],
  ]
  t.same(await events(), [
    event('update', 'case', null, null),
    event('update', 'session', sessionId, null),
    event('create', 'video', sessionId, video?.id),
    event('update', 'video', sessionId, video?.id),
    event('link', 'video', sessionId, next),
    event('delete', 'video', sessionId, next),
    event('create', 'script', sessionId, 3),
    event('delete', 'case', null, null),
  ])
})

t.test('a statement names the cause of its transaction, and of no other one', async (t) => {
  const { db, url, caseId, sessionId, events } = await session(t)
  const named = testCause('r-1')
  await db.transaction(async (tx) => {
    await tx
      .update(cases)
      .set({ caseStateId: 2 })
      .where(and(ownCase({ userId: 7, caseId }), because(named)))
    await tx.execute(sql`update sessions set name = 'x'`)
  })
  t.equal(named.isNamed, true)
  await db.execute(sql`update sessions set name = 'y' where ${because(testCause('r-2'))}`)
  const worker = openDatabase({ url, max: 1, applicationName: 'worker' })
  await worker.db.execute(sql`update sessions set name = 'z' where ${because(undefined)}`)
  await worker.close()
  const mine = (requestId: string, kind: string, session: number | null) => [
    ...['therapist', 7, 'update', kind, caseId, session, null, requestId, '192.0.2.7'],
  ]
  t.same(await events(), [
    mine('r-1', 'case', null),
    mine('r-1', 'session', sessionId),
    mine('r-2', 'session', sessionId),
    ['worker', null, 'update', 'session', caseId, sessionId, null, null, null],
  ])
})

t.test('what is rolled back leaves no event', async (t) => {
  const { client, events } = await session(t)
  await client
    .begin(async (tx) => {
      await tx`update sessions set name = 'x'`
      throw new Error('no')
    })
    .catch(() => {})
  t.same(await events(), [])
})

t.test('no event is changed, removed or truncated, not in its partition either', async (t) => {
  const { client } = await session(t)
  const [month] = await client`select to_char(now() at time zone 'UTC', '"audit_events_"YYYY_MM') as name`
  for (const table of ['audit_events', month?.name]) {
    for (const statement of [`update ${table} set user_id = 8`, `delete from ${table}`, `truncate ${table}`]) {
      await t.rejects(client.unsafe(statement), { code: '42501' }, statement)
    }
  }
  await t.rejects(client.unsafe('truncate audit_events_other'), { code: '42501' })
})

t.test('there is always a partition, months are made ahead, and old ones are dropped', async (t) => {
  const { client, url } = await session(t)
  const partitions = async () =>
    (
      await client`select inhrelid::regclass::text as name from pg_inherits
      where inhparent = 'audit_events'::regclass order by name`
    ).map(({ name }) => name)
  t.equal((await partitions()).length, 5, 'four months and the one of all others')
  await client`create table audit_events_2019_01 partition of audit_events for values from ('2019-01-01Z') to ('2019-02-01Z')`
  const insert = (at: string) =>
    client`insert into audit_events (at, actor, action, kind) values (${at}, 'worker', 'read', 'case')`
  await insert('2019-01-07Z')
  await insert('2018-01-07Z')
  await insert(new Date(Date.now() + 400 * 86_400_000).toISOString())
  await migrate(url)
  const drop = async () => (await client`select drop_audit_partitions() as dropped`)[0]?.dropped
  t.equal(await drop(), 0, 'only after a week')
  await client`update installation set audit_due_at = audit_due_at - interval '8 days'`
  t.equal(await drop(), 1)
  await client`update installation set audit_years = 0`
  t.equal(await drop(), 0, 'nothing younger than a year')
  await migrate(url, undefined, { auditYears: 7 })
  t.same(await client`select audit_years from installation`, [{ audit_years: 7 }])
  t.equal((await partitions()).length, 5)
  t.same(await client`select count(*)::int from only audit_events_other`, [{ count: 2 }])
})

t.test('a temporary table takes the place of none, and others may not call what changes partitions', async (t) => {
  const { client, caseId } = await session(t)
  const functions = await client`select proname, array_to_string(proconfig, ';') as settings,
      has_function_privilege('pg_read_all_data', oid, 'execute') as is_open
    from pg_proc where proname like '%audit%' and prosrc ~* 'audit_events|audit_change|audit_seals'`
  t.ok(functions.length >= 6)
  for (const { proname, settings, is_open } of functions) {
    t.match(settings, /search_path=public, pg_temp/, proname)
    t.equal(is_open, !proname.endsWith('_partitions'), proname)
  }
  const own = await client.reserve()
  await own`create temporary table audit_events (like audit_events)`
  await own`update cases set case_state_id = 2 where id = ${caseId}`
  t.equal((await own`select from pg_temp.audit_events`).length, 0)
  t.equal((await own`select from public.audit_events where action = 'update'`).length, 1)
  own.release()
})

t.test('two workers make a partition once', async (t) => {
  const { client } = await session(t)
  for (let round = 0; round < 20; round++) {
    await client`drop table ${client(await nextMonth(client))}`
    await Promise.all([1, 2, 3].map(() => client`select make_audit_partitions()`))
  }
  t.not((await client`select to_regclass(${await nextMonth(client)}) as made`)[0]?.made, null)
})

t.test('a dump keeps nobody from an upgrade, and nobody waits behind its partitions', async (t) => {
  const { client, url } = await session(t)
  await client`drop table ${client(await nextMonth(client))}`
  const dump = await client.reserve()
  await dump`begin`
  await dump`select from audit_events`
  await migrate(url)
  t.same(await client`select to_regclass(${await nextMonth(client)}) as made`, [{ made: null }])
  await dump`commit`
  dump.release()
  await migrate(url)
  t.not((await client`select to_regclass(${await nextMonth(client)}) as made`)[0]?.made, null)
})

const nextMonth = async (client: Awaited<ReturnType<typeof testDatabase>>['sql']): Promise<string> => {
  const [month] = await client`
    select to_char(now() at time zone 'UTC' + interval '1 month', '"audit_events_"YYYY_MM') as name`
  return month?.name
}
