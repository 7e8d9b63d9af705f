import { testDatabase } from '@playtherapy/testing'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { createHeavy } from '../src/heavy.ts'
import { databaseCode } from '../src/outage.ts'

t.test('one heavy statement of a therapist runs at a time, and sixteen wait', async (t) => {
  const { db } = await testDatabase(t)
  let atOnce = 0
  let most = 0
  const order: number[] = []
  let free = () => {}
  const until = new Promise<void>((resolve) => {
    free = resolve
  })
  const ask = (n: number) =>
    db.heavy(7, async (pool) => {
      most = Math.max(most, ++atOnce)
      await until
      await pool.execute(sql`select ${n}::int`)
      order.push(n)
      atOnce--
      if (n === 3) throw new Error('a failure of its own')
      return n
    })
  const all = Array.from({ length: 16 }, (_, n) => ask(n).catch((error: Error) => error.message))
  await t.rejects(ask(16), { name: 'TooManyStatementsError' })
  t.same(
    [...(await db.heavy(8, (pool) => pool.execute(sql`select 8 as mine`)))],
    [{ mine: 8 }],
    'others notice nothing',
  )
  t.equal(order.length, 0)
  free()
  const answers = await Promise.all(all)
  const numbers = Array.from({ length: 16 }, (_, n) => n)
  t.same(
    answers,
    numbers.map((n) => (n === 3 ? 'a failure of its own' : n)),
  )
  t.same(order, numbers)
  t.equal(most, 1)
  t.equal(await ask(17), 17, 'and the line is free again')
})

t.test('no more run at once than have a connection, in the order of who came', async (t) => {
  const { db } = await testDatabase(t)
  const heavy = createHeavy(db, 3)
  const started: string[] = []
  const gates = new Map<string, () => void>()
  const work = (who: number, what: string) =>
    heavy(who, async (pool) => {
      started.push(what)
      await new Promise<void>((resolve) => gates.set(what, resolve))
      return pool.execute(sql`select 1`)
    })
  const [a, again, b, c, d] = [work(1, 'a'), work(1, 'a again'), work(2, 'b'), work(3, 'c'), work(4, 'd')]
  t.match(await db.execute(sql`select 1 as light`), [{ light: 1 }], 'what is not heavy waits for none of them')
  t.same(started, ['a', 'b', 'c'])
  gates.get('b')?.()
  await b
  t.same(started, ['a', 'b', 'c', 'd'], 'one therapist has one at a time')
  gates.get('a')?.()
  await a
  t.same(started, ['a', 'b', 'c', 'd', 'a again'])
  for (const open of gates.values()) open()
  await Promise.all([again, c, d])
})

t.test('it ends after 5 s, and so do transactions of it', async (t) => {
  const { db } = await testDatabase(t)
  const timeout = sql`select current_setting('statement_timeout') as at_most`
  t.match(await db.heavy(7, (pool) => pool.execute(timeout)), [{ at_most: '5s' }])
  t.match(await db.heavy(7, (pool) => pool.transaction((tx) => tx.execute(timeout))), [{ at_most: '5s' }])
  const cancelled = db.heavy(7, (pool) =>
    pool.transaction(async (tx) => {
      await tx.execute(sql`set local statement_timeout = 50`)
      await tx.execute(sql`select pg_sleep(10)`)
    }),
  )
  t.equal(databaseCode(await cancelled.catch((error: unknown) => error)), '57014')
})
