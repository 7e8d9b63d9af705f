/** What drops old months of the audit trail, and that a verification agrees with it. */
import type { Test } from 'tap'
import t from 'tap'
import { keepPartitions } from '../src/audit/partitions.ts'
import { trail } from './audit-support.ts'

/** An empty trail with partitions for these months, such as `2019-01`, and what drops old ones after so many days. */
async function months(t: Test, ...names: string[]) {
  const found = await trail(t)
  const { sql } = found
  for (const month of names) {
    await sql.unsafe(`create table audit_events_${month.replace('-', '_')} partition of audit_events
      for values from ('${month}-01Z') to (timestamptz '${month}-01Z' + interval '1 month')`)
  }
  const add = (at: string, count: number) =>
    sql`insert into audit_events (at, actor, action, kind)
      select ${at}, 'worker', 'read', 'case' from generate_series(1, ${count})`
  const drop = async (days = 0): Promise<unknown> => {
    await sql`update installation set audit_due_at = audit_due_at - make_interval(days => ${days})`
    return (await sql`select drop_audit_partitions() as dropped`)[0]?.dropped
  }
  const left = async () => {
    const rows =
      await sql`select right(relname, 7) as month from pg_class where relname ~ '^audit_events_2[0-9_]+$' order by 1`
    return rows.map(({ month }) => month).filter((month) => month < '2026')
  }
  return { ...found, add, drop, left }
}

const whole = { unsealed: 0, heads: 0, locked: 0, lost: 0, faults: [] }

t.test('a month that was dropped is not missing', async (t) => {
  const { sql, seal, check, add, drop } = await months(t, '2019-01')
  await add('2019-01-07Z', 1_500)
  await add(new Date().toISOString(), 1_500)
  t.equal(await seal(), 3_000)
  await drop()
  t.equal(await drop(8), 1)
  t.same(await check(), { sealed: 1_500, ...whole })
  t.same(await sql`select count(*)::int from audit_seals`, [{ count: 2 }])
})

t.test('a head is not missing with its month, whenever that was sealed', async (t) => {
  const { seal, publish, check, tamper, add, drop } = await months(t, '2019-01')
  await add('2019-01-31T23:59:59Z', 10)
  await seal()
  await publish()
  await add(new Date().toISOString(), 10)
  await seal()
  await publish()
  t.match(await check(), { sealed: 20, heads: 2, faults: [] })
  await drop()
  t.equal(await drop(8), 1)
  t.same(await check(), { ...whole, sealed: 10, heads: 1 })
  await tamper('delete from audit_seals')
  t.match(await check(), { faults: ['20 is known to the object store, and its seal is missing'] })
})

t.test('events of no month go when all of them are old, and with them what keeps seals', async (t) => {
  const { sql, seal, check, add, drop } = await months(t, '2019-01', '2019-02', '2019-03', '2019-04')
  const ids = async () =>
    (await sql`select last_id::int from audit_seals order by last_id`).map(({ last_id }) => last_id)
  const others = async () => (await sql`select count(*)::int from audit_events_other`)[0]?.count
  for (const at of [
    '2018-12-07Z',
    '2019-01-07Z',
    '2019-02-07Z',
    '2019-03-07Z',
    '2019-04-07Z',
    new Date().toISOString(),
  ]) {
    await add(at, 5)
    await seal()
  }
  await drop()
  t.equal(await drop(8), 1)
  t.equal(await others(), 0)
  t.same(await ids(), [15, 20, 25, 30])
  t.same(await check(), { ...whole, sealed: 20 })

  // A clock that was wrong for a moment: its events came after those of this month, which stay.
  await add('1970-01-01Z', 5)
  await seal()
  await drop()
  t.equal(await drop(8), 1)
  t.equal(await others(), 5, 'they are young')
  t.same(await ids(), [20, 25, 30, 35])
  t.same(await check(), { ...whole, sealed: 20 })

  await add('2090-01-01Z', 5)
  await seal()
  await drop()
  t.equal(await drop(8), 1)
  t.same(await ids(), [25, 30, 35, 40])
  t.same(await check(), { ...whole, sealed: 20 })
  await t.rejects(sql`truncate audit_events_other`, { code: '42501' })
  await t.rejects(sql`delete from audit_events_other`, { code: '42501' })
})

t.test('an event of a long transaction, which began in the month before, leaves the chain whole', async (t) => {
  const { sql, seal, check, add, drop } = await months(t, '2019-01')
  await add('2019-01-07Z', 10)
  await seal()
  await add(new Date().toISOString(), 10)
  await seal()
  await add('2019-01-31T23:59Z', 10)
  await seal()
  await add(new Date().toISOString(), 10)
  await seal()
  await drop()
  t.equal(await drop(8), 1)
  t.same(await check(), { sealed: 20, ...whole })
  t.same(await sql`select last_id::int from audit_seals order by last_id`, [
    ...[{ last_id: 20 }, { last_id: 30 }, { last_id: 40 }],
  ])
})

t.test('one month goes in a week, the oldest first, and the seals of the others stay until then', async (t) => {
  const { sql, seal, check, add, drop, left } = await months(t, '2019-01', '2019-02', '2019-03')
  for (const month of await left()) {
    await add(`${month.replace('_', '-')}-07Z`, 5)
    await seal()
  }
  t.equal(await drop(), 0)
  t.equal(await drop(6), 0)
  t.equal(await drop(2), 1)
  t.same(await left(), ['2019_02', '2019_03'])
  t.same(await check(), { sealed: 10, ...whole })
  t.equal(await drop(), 0)
  t.equal(await drop(8), 1)
  t.same(await check(), { sealed: 5, ...whole })
  t.equal(await drop(8), 1)
  t.same(await left(), [])
  await drop(8)
  t.same(await sql`select audit_due_at from installation`, [{ audit_due_at: null }], 'nothing is due any more')
})

t.test('a clock that is years ahead drops nothing when it is set right within a week', async (t) => {
  const { sql, drop, left } = await months(t, '2022-01', '2022-02')
  // As if the clock had been years ahead: the database then holds these months for old, and a moment of the wrong clock.
  await sql`update installation set audit_years = 1`
  t.equal(await drop(), 0)
  await sql`update installation set audit_due_at = now() + interval '9 years'`
  t.equal(await drop(), 0, 'the moment is from a wrong clock')
  t.match(await sql`select audit_due_at <= now() as is_now from installation`, [{ is_now: true }])
  await sql`update installation set audit_years = 100`
  t.equal(await drop(8), 0)
  t.same(await left(), ['2022_01', '2022_02'])
  await sql`update installation set audit_years = 1`
  t.equal(await drop(), 0, 'the week begins anew')
})

t.test('two workers at once drop one month', async (t) => {
  const { db, drop, left } = await months(t, '2019-01', '2019-02')
  await drop()
  await drop(6)

  await drop(0)
  await Promise.allSettled([drop(2), keepPartitions(db), keepPartitions(db)])
  await keepPartitions(db)
  t.same(await left(), ['2019_02'])
})
