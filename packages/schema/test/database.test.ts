import { testDatabase } from '@playtherapy/testing'
import t from 'tap'

t.test('a query on a connection that was lost fails, the process and the pool go on', async (t) => {
  const { sql } = await testDatabase(t)
  const held = await sql.reserve()
  const [own] = await held<{ pid: number }[]>`select pg_backend_pid() as pid`
  const pid = own?.pid ?? 0
  await sql`select pg_terminate_backend(${pid})`
  while ((await sql`select 1 from pg_stat_activity where pid = ${pid}`).length > 0);
  await new Promise((resolve) => setTimeout(resolve, 50))
  await t.rejects(
    held`select 1`.then(() => {}),
    { code: 'CONNECTION_CLOSED' },
  )
  for (let n = 0; n < 20; n++) t.match(await sql`select ${n}::int as n`, [{ n }])
})
