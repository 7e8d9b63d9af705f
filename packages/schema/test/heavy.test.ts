import { testDatabase } from '@playtherapy/testing'
import { sql } from 'drizzle-orm'
import t from 'tap'
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
  const ended: string[] = []
  const slow = (who: number, what: string) =>
    db.heavy(who, async (pool) => {
      await pool.execute(sql`select pg_sleep(0.2)`)
      ended.push(what)
    })
  const all = [slow(1, 'a'), slow(1, 'a again'), slow(1, 'a at last'), slow(2, 'b'), slow(3, 'c')]
  t.match(await db.execute(sql`select 1 as light`), [{ light: 1 }])
  t.same(ended, [], 'what is not heavy waits for none of them')
  await Promise.all(all)
  t.same(ended.slice(0, 2).sort(), ['a', 'b'], 'each in turn')
  t.ok(ended.indexOf('c') < ended.indexOf('a at last'))
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
