import { auditHeadPrefix, createS3Store } from '@playtherapy/object-store'
import {
  hideVersions,
  lockingBucket,
  replaceObject,
  seedSession,
  storeBackends,
  testBucket,
} from '@playtherapy/testing'
import t from 'tap'
import { heads, writeRestore } from '../src/audit/head.ts'
import { createSealer } from '../src/audit/seal.ts'
import { verify } from '../src/audit/verify.ts'
import { all, trail } from './audit-support.ts'

t.test('sealed events verify, and those that come later are not sealed yet', async (t) => {
  const { seal, check, add, sql } = await trail(t, 2_500)
  t.equal(await seal(), 2_500)
  t.equal(await seal(), 0)
  await add(3)
  t.same(await check(), { sealed: 2_500, unsealed: 3, heads: 0, locked: 0, lost: 0, faults: [] })
  t.equal(await seal(), 3)
  t.same(await sql`select cardinality(ids) as events from audit_seals order by last_id`, [
    ...[{ events: 1_000 }, { events: 1_000 }, { events: 500 }, { events: 3 }],
  ])
  t.same(await check(), { sealed: 2_503, unsealed: 0, heads: 0, locked: 0, lost: 0, faults: [] })
})

t.test('a changed, a missing and an inserted event are found, and named', async (t) => {
  const { seal, check, tamper, sql } = await trail(t, 1_500)
  await sql`select nextval('audit_events_id_seq')`
  await sql`insert into audit_events (actor, action, kind) values ('worker', 'update', 'video')`
  await seal()
  await tamper('update audit_events set user_id = 8 where id = 700')
  await tamper('delete from audit_events where id = 1200')
  await tamper(
    `insert into audit_events (id, actor, action, kind) overriding system value values (1501, 'worker', 'read', 'case')`,
  )
  t.same(await check(), {
    ...{ sealed: 1_499, unsealed: 0, heads: 0, locked: 0, lost: 0 },
    faults: ['700 was changed', '1200 is missing', '1501 was inserted'],
  })
})

t.test('an event before the first one, and one with the id of another, are found', async (t) => {
  const { seal, check, tamper } = await trail(t, 3)
  await seal()
  const insert = (id: number) =>
    tamper(`insert into audit_events (id, at, actor, action, kind) overriding system value
      values (${id}, now() - interval '1 day', 'worker', 'read', 'case')`)
  await insert(-5)
  await insert(2)
  const { faults } = await check()
  t.ok(faults.includes('2 was inserted with the id of another'))
  t.ok(faults.includes('-5 was inserted'))
})

for (const backend of storeBackends) {
  t.test(`a trail that was made anew does not agree with the object store, on ${backend}`, async (t) => {
    const { seal, check, tamper, publish, add, sql } = await trail(t, 20, backend)
    await publish()
    await seal()
    await publish()
    await publish()
    await add(5)
    await seal()
    t.same(await check(), { sealed: 25, unsealed: 0, heads: 1, locked: 0, lost: 0, faults: [] })
    await tamper('update audit_events set user_id = 8 where id = 7')
    await tamper('delete from audit_seals')
    await seal()
    t.match(await check(), { faults: ['20 does not have the hash that was written to the object store'] })
    await tamper('delete from audit_seals; delete from audit_events where id >= 20')
    await sql`select setval('audit_events_id_seq', 19)`
    await seal()
    t.match(await check(), { sealed: 19, faults: ['20 is known to the object store, and its seal is missing'] })
  })
}

for (const backend of storeBackends) {
  t.test(
    `after a restore of the database alone the trail goes on when an operator says so, on ${backend}`,
    async (t) => {
      const { db, sql, store, phase, seal, check, tamper, publish, add } = await trail(t, 10, backend)
      await seal()
      await publish()
      await add(5)
      await seal()
      await publish()
      await publish()
      // What a backup of the time after the first seal has.
      await tamper('delete from audit_events where id > 10; delete from audit_seals where last_id > 10')
      await sql`select setval('audit_events_id_seq', 10)`
      const forked = { name: 'TrailForkedError', message: /heads of the audit trail that the database does not have/ }
      await t.rejects(publish(), forked, 'before anything new happens')
      await add(2)
      t.equal(await seal(), 2, 'events are sealed all the same')
      await t.rejects(publish(), forked)
      t.match(await check(), {
        heads: 2,
        lost: 0,
        faults: ['15 is known to the object store, and its seal is missing'],
      })
      await add(3)
      await seal()
      await t.rejects(publish(), forked, 'the number of the lost head is given out again')
      t.match(await check(), {
        ...{ sealed: 15, heads: 3, lost: 0 },
        faults: ['15 does not have the hash that was written to the object store'],
      })

      const run = verify(db, heads({ store, phase }))
      let step = await run.next()
      while (!step.done) step = await run.next()
      const { lastId, foreign } = step.value
      t.match({ lastId, ids: foreign.map(({ id }) => id) }, { lastId: 15, ids: [15] })
      await writeRestore({ db, store, phase }, lastId, foreign)
      await publish()
      t.match(await check(), { sealed: 15, heads: 3, lost: 1, faults: [] })
      await tamper('update audit_events set user_id = 8 where id = 15; delete from audit_seals where last_id = 15')
      await seal()
      const { faults } = await check()
      t.strictSame(
        faults,
        ['15 does not have the hash that was written to the object store'],
        'and no other is excused',
      )
    },
  )
}

const skip = storeBackends.includes('s3') ? false : 'there is no S3 server here'

t.test(
  'a head is locked for as long as the trail is kept, and one that is written over it is found',
  { skip },
  async (t) => {
    const settings = await lockingBucket(t)
    const store = createS3Store(settings)
    t.teardown(() => store.close())
    const { seal, publish, check, phase } = await trail(t, 20, store)
    await seal()
    await publish()
    const whole = { sealed: 20, heads: 1, locked: 1, faults: [] }
    t.match(await check(), whole)
    const [head] = await all(heads({ store, phase }))
    const lockedUntil = head && 'lockedUntil' in head ? head.lockedUntil : undefined
    const years = ((lockedUntil?.getTime() ?? 0) - Date.now()) / (365.25 * 86_400_000)
    t.ok(years > 5.98 && years < 6.02, `${years} years`)

    const [info] = await all(store.list(auditHeadPrefix(phase)))
    const key = info?.key ?? ''
    await t.rejects(store.delete([key]), { name: 'ObjectsLockedError' }, 'our own key cannot remove it')
    t.match(await check(), whole)
    const replace = (body?: string) => replaceObject(t, settings, key, body)
    await replace()
    t.match(await check(), whole, 'a delete marker hides nothing')
    await replace(JSON.stringify({ id: 20, hash: 'f'.repeat(64), sealed_at: '2026-11-27T00:00:00Z' }))
    const forged = '20 does not have the hash that was written to the object store'
    t.match(await check(), { heads: 1, locked: 1, faults: [forged] })
    for (const body of ['', '{', 'x'.repeat(10_000)]) await replace(body)
    const unreadable = '20 has a head in the object store that nobody can read'
    t.match(await check(), { heads: 1, faults: [unreadable, unreadable, unreadable, forged] })
  },
)

t.test('in a versioned bucket without Object Lock heads are read with all their versions', { skip }, async (t) => {
  const settings = await testBucket()
  await hideVersions(t, settings, 'Enabled', [])
  const store = createS3Store(settings)
  t.teardown(() => store.close())
  const { seal, publish, check, tamper, phase } = await trail(t, 20, store)
  await seal()
  await publish()
  const [info] = await all(store.list(auditHeadPrefix(phase)))
  await replaceObject(t, settings, info?.key ?? '')
  t.match(await check(), { heads: 1, locked: 0, faults: [] })
  await tamper('update audit_events set user_id = 8 where id = 7; delete from audit_seals')
  await seal()
  t.match(await check(), { faults: ['20 does not have the hash that was written to the object store'] })
})

t.test('an event is not sealed over one with a smaller id that is not committed yet', async (t) => {
  const { seal, check, sql } = await trail(t)
  const slow = await sql.reserve()
  await slow`begin`
  await slow`insert into audit_events (actor, action, kind) values ('worker', 'read', 'case')`
  await sql`insert into audit_events (actor, action, kind) values ('worker', 'update', 'case')`
  t.equal(await seal(), 0)
  const other = await sql.reserve()
  await other`begin`
  await other`insert into audit_events (actor, action, kind) values ('worker', 'delete', 'case')`
  await slow`commit`
  t.equal(await seal(), 2, 'one that begins later does not delay them')
  await other`rollback`
  slow.release()
  other.release()
  t.equal(await seal(), 0)
  t.same(await check(), { sealed: 2, unsealed: 0, heads: 0, locked: 0, lost: 0, faults: [] })
})

t.test('two workers seal each event once', async (t) => {
  const { db, seal, check } = await trail(t, 3_000)
  const [one, other] = await Promise.all([seal(), createSealer(db)()])
  await seal()
  t.ok(one + other <= 3_000)
  t.same(await check(), { sealed: 3_000, unsealed: 0, heads: 0, locked: 0, lost: 0, faults: [] })
})

t.test('a month that may not be dropped yet is missing, event by event', async (t) => {
  const { sql, seal, check, tamper } = await trail(t)
  await sql`select setval('audit_events_id_seq', 1)`
  const add = (at: string, count: number) =>
    sql`insert into audit_events (at, actor, action, kind)
      select ${at}, 'worker', 'read', 'case' from generate_series(1, ${count})`
  await add('2019-01-07Z', 2)
  await add(new Date(Date.now() - 5 * 365 * 86_400_000).toISOString(), 2)
  await seal()
  await tamper('delete from audit_events')
  t.same((await check()).faults, ['4 is missing', '5 is missing'])
})

t.test('an erased case leaves its events as they were', async (t) => {
  const { owner, sql, seal, check } = await trail(t)
  await seedSession(owner, 7)
  await seal()
  await sql`delete from cases`
  await seal()
  t.same(await check(), { sealed: 3, unsealed: 0, heads: 0, locked: 0, lost: 0, faults: [] })
})
