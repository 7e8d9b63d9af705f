import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { type Contents, contents, ids } from './support.ts'

/** Inserts cases of one therapist with descriptions of almost 16 KiB. */
const fill = (db: Database, userId: number, count: number) =>
  db.execute(sql`
    insert into cases (user_id, given_name, description)
    select ${userId}, 'child ' || n, jsonb_build_object('age', n, 'note', repeat('x', 16300))
    from generate_series(1, ${count}::int) as n`)

/** Opens a response without reading its body. */
async function open({ host }: Contents, userId: number, path = ''): Promise<IncomingMessage> {
  const request = get(`${host.url}/contents/api/case${path}`, { headers: host.as(userId), agent: false })
  const [response]: IncomingMessage[] = await once(request, 'response')
  if (!response) throw new Error('no response')
  return response
}

/** Waits until a number has stopped changing, and returns it. */
async function settled(value: () => number): Promise<number> {
  for (let before = -1; before !== value(); await sleep(250)) before = value()
  return value()
}

t.test('a list of 1,200 cases of 16 KiB is read only as fast as the client reads', async (t) => {
  let rows = 0
  const service = await contents(t, { rowsRead: (count) => (rows += count) })
  const { call, db } = service
  await fill(db, 7, 1_200)
  await fill(db, 8, 30)

  const answer = await open(service, 7)
  // The kernel buffers some 10 MB for a client that does not read.
  t.ok((await settled(() => rows)) < 900, `${rows} rows read ahead`)
  const busy = await db.execute(sql`
    select from pg_stat_activity where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()`)
  t.equal(busy.length, 0, 'no connection waits for the client')
  t.equal(answer.headers['content-type'], 'application/json; charset=utf-8')
  const all: { id: number }[] = JSON.parse(await text(answer))
  t.equal(all.length, 1_200)
  t.strictSame(
    ids([200, all]),
    Array.from({ length: 1_200 }, (_, n) => 1_200 - n),
  )
  t.strictSame(await call(7, 'GET', '?skip=0&limit=10'), [200, all.slice(0, 10)], 'a short list has the same entries')

  for (const [query, from, to] of [
    ['?skip=5', 5, 1_200],
    ['?skip=3&limit=50', 3, 53],
    ['?limit=20', 0, 20],
    ['?limit=21', 0, 21],
    ['?skip=1179', 1_179, 1_200],
    ['?skip=1180', 1_180, 1_200],
  ] as const) {
    t.strictSame(ids(await call(7, 'GET', query)), ids([200, all.slice(from, to)]), query)
  }
  t.same(ids(await call(7, 'GET', '?keyword=CHILD%201&limit=45')).length, 45)
  t.same(ids(await call(7, 'GET', '?keyword=child%2011')).length, 111)
  t.equal(ids(await call(8, 'GET', '')).length, 30)
  const range = (from: number, to: number) => [400, { message: `Invalid range ${from} to ${to}`, error_code: 4 }]
  t.strictSame(await call(7, 'GET', '?limit=1201'), range(0, 1_200))
  t.strictSame(await call(7, 'GET', '?skip=1&limit=1200'), range(1, 1_200))
  t.strictSame(await call(7, 'GET', '?skip=-1'), range(-1, 1_198))
  t.strictSame(await call(7, 'GET', '?skip=1201'), range(1_201, 2_400))
  t.strictSame(await call(7, 'GET', '?keyword=child%2011&limit=112'), range(0, 111))
})

t.test('a long list ends when its client disconnects, and is cut off when the database fails', async (t) => {
  let rows = 0
  const service = await contents(t, { rowsRead: (count) => (rows += count) })
  const { call, db } = service
  await fill(db, 7, 1_200)

  const left = await open(service, 7)
  const before = await settled(() => rows)
  left.destroy()
  t.ok((await settled(() => rows)) - before <= 40, 'at most the batches that were being sent were read')

  const broken = await open(service, 7)
  await settled(() => rows)
  await db.execute(sql`alter table cases rename to away`)
  await t.rejects(text(broken), { code: 'ECONNRESET' })
  t.match(await call(7, 'GET', ''), [500, { error_code: 500 }], 'a failure before the first byte returns an error')
  await db.execute(sql`alter table away rename to cases`)
  t.equal(ids(await call(7, 'GET', '')).length, 1_200)
})

t.test('one therapist may hold a share of the long lists', async (t) => {
  const service = await contents(t)
  const { db, host } = service
  await fill(db, 7, 1_000)
  await fill(db, 8, 1_000)
  for (let n = 0; n < 12; n++) {
    const head = await fetch(`${host.url}/contents/api/case`, { method: 'HEAD', headers: host.as(7) })
    t.equal(head.status, 200, 'a HEAD holds no part of the share')
  }
  const held = await Promise.all(Array.from({ length: 8 }, () => open(service, 7)))
  for (const { statusCode } of held) t.equal(statusCode, 200)
  const refused = await open(service, 7)
  t.equal(refused.statusCode, 429)
  t.ok(Number(refused.headers['retry-after']) > 0)
  t.match(JSON.parse(await text(refused)), { error_code: 10 })
  t.equal((await service.call(7, 'GET', '?limit=10'))[0], 200, 'short lists still work')
  t.equal(ids(await service.call(8, 'GET', '')).length, 1_000, 'another therapist is not affected')
  for (const answer of held) answer.destroy()
  await sleep(50)
  t.equal(ids(await service.call(7, 'GET', '')).length, 1_000)
})

t.test('a list of 12,000 sessions is read only as fast as the client reads', async (t) => {
  let rows = 0
  const service = await contents(t, { rowsRead: (count) => (rows += count) })
  const { call, db, newCase } = service
  const id = await newCase(7)
  await db.execute(sql`
    insert into sessions (case_id, name) select ${id}, repeat('가', 200) from generate_series(1, 12000) as n`)
  const answer = await open(service, 7, `/${id}/session?keyword=`)
  t.ok((await settled(() => rows)) < 9_000, `${rows} rows read ahead`)
  const all: { id: number }[] = JSON.parse(await text(answer))
  t.equal(all.length, 12_000)
  t.strictSame(await call(7, 'GET', `/${id}/session?skip=0&limit=10`), [200, all.slice(0, 10)])
  t.strictSame(await call(7, 'GET', `/${id}/session?skip=11000&limit=230`), [200, all.slice(11_000, 11_230)])
  t.match(await call(7, 'GET', `/${id}/session?limit=12001`), [400, { message: 'Invalid range 0 to 12000' }])
})
