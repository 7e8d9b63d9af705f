import { EventEmitter, once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Teardown, testDatabase } from '@playtherapy/testing'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { openDatabase } from '../src/database.ts'
import { isOutage } from '../src/outage.ts'

/** The same database, reached over sockets that a test may hurt. */
async function overSockets(t: Teardown, url: string, sent = (_near: Socket) => {}) {
  const { hostname, port } = new URL(url)
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(Number(port), hostname)
    near.on('data', () => sent(near))
    sockets.add(near.pipe(far)).add(far.pipe(near))
    for (const end of [near, far]) end.on('error', () => {}).on('close', () => sockets.delete(end))
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  const through = new URL(url)
  through.host = `127.0.0.1:${typeof address === 'object' && address?.port}`
  return { sockets, url: through.href }
}

t.test('a query on a connection that was lost fails, the process and the pool go on', async (t) => {
  const { sql } = await testDatabase(t)
  const held = await sql.reserve()
  const [own] = await held<{ pid: number }[]>`select pg_backend_pid() as pid`
  const pid = own?.pid ?? 0
  await sql`select pg_terminate_backend(${pid})`
  while ((await sql`select 1 from pg_stat_activity where pid = ${pid}`).length > 0);
  await sleep(50)
  await t.rejects(
    held`select 1`.then(() => {}),
    { code: 'CONNECTION_CLOSED' },
  )
  for (let n = 0; n < 20; n++) t.match(await sql`select ${n}::int as n`, [{ n }])
})

t.test('connections lost again and again while they are used: every query ends, by an outage at worst', async (t) => {
  const { sockets, url } = await overSockets(t, (await testDatabase(t)).url)
  const { db, sql: client, close } = openDatabase({ url, max: 4, applicationName: 'lossy' })
  t.teardown(close)
  let lossy = true
  const users = Array.from({ length: 30 }, async (_, user) => {
    for (; lossy; await sleep(1)) {
      const work = user % 3 ? db.execute(sql`select ${user}::int`) : db.transaction((tx) => tx.execute(sql`select 1`))
      await work.catch((error: unknown) => isOutage(error) || t.error(error))
    }
  })
  for (let round = 0; round < 12; round++) {
    await sleep(250)
    for (const socket of sockets) round % 2 ? socket.resetAndDestroy() : socket.destroy()
  }
  lossy = false
  await Promise.all(users)
  t.same(await client`select 1 as n`, [{ n: 1 }])
})

t.test('a connection lost at any step of its being set up fails its query and nothing else', async (t) => {
  const { url: straight } = await testDatabase(t)
  for (const step of [1, 2, 3, 4, 5]) {
    let steps = 0
    const { url } = await overSockets(t, straight, (near) => {
      if (++steps === step) near.resetAndDestroy()
    })
    const { sql: client, close } = openDatabase({ url, max: 1, applicationName: 'setup' })
    t.teardown(close)
    await t.rejects(client`select 1`.execute(), { code: 'ECONNRESET' }, `cut at step ${step}`)
    t.same(await client`select 1 as n`, [{ n: 1 }])
  }
})

t.test('a query on a silent connection fails, and the next one opens a new connection', async (t) => {
  // What a forgotten NAT entry or a vanished machine looks like from here: open, and nothing comes back.
  const { sockets, url } = await overSockets(t, (await testDatabase(t)).url)
  const { db, sql: client, close } = openDatabase({ url, max: 2, applicationName: 'silence' })
  t.teardown(close)

  const transaction = db.transaction(async (tx) => {
    await tx.execute(sql`select 1`)
    await db.execute(sql`select 2`)
    for (const socket of sockets) socket.unpipe()
    const alone = db.execute(sql`select 3`).catch((error: unknown) => error)
    await tx.execute(sql`select 4`).catch(() => {})
    t.ok(isOutage(await alone))
    return tx.execute(sql`select 5`)
  })
  t.ok(isOutage(await transaction.catch((error: unknown) => error)))
  t.same(await client`select 6 as n`, [{ n: 6 }])
})

t.test('a transaction that lost its connection touches nobody else', async (t) => {
  const { url, sql: outside } = await testDatabase(t)
  const { db, close } = openDatabase({ url, max: 1, applicationName: 'lost' })
  t.teardown(close)
  await outside`create table kept (by text)`
  const steps = new EventEmitter()
  const began = once(steps, 'began')
  const lost = db.transaction(async (tx) => {
    const [own] = await tx.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`)
    steps.emit('began', own?.pid ?? 0)
    await once(steps, 'go')
    await tx.execute(sql`insert into kept values ('the lost')`)
  })
  lost.catch(() => {})
  const [pid] = await began
  await outside`select pg_terminate_backend(${pid})`
  await t.rejects(lost)
  await t.rejects(
    db.transaction(async (tx) => {
      await tx.execute(sql`insert into kept values ('the next')`)
      steps.emit('go')
      await sleep(200)
      throw new Error('rolled back')
    }),
    { message: 'rolled back' },
  )
  t.same(await outside`select * from kept`, [])
})

t.test('a text with parameters is prepared once for a connection, in transactions too', async (t) => {
  const { url } = await testDatabase(t)
  const { db, close } = openDatabase({ url, max: 1, applicationName: 'prepared' })
  t.teardown(close)
  const ask = (on: Pick<typeof db, 'execute'>, n: number) => on.execute(sql`select ${n}::int as asked`)
  await db.transaction((tx) => ask(tx, 1))
  await db.transaction((tx) => ask(tx, 2))
  t.match(await ask(db, 3), [{ asked: 3 }])
  const plans = sql`generic_plans + custom_plans as plans`
  const texts = 'select $1::int as asked'
  const prepared = await db.execute(sql`select ${plans} from pg_prepared_statements where statement = ${texts}`)
  t.match([...prepared], [{ plans: '3' }])
})
