import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { type Contents, contents, ids } from './support.ts'

/** Cases whose descriptions are as large as they may be, all of one therapist. */
const fill = (db: Database, userId: number, count: number) =>
  db.execute(sql`
    insert into cases (user_id, given_name, description)
    select ${userId}, 'child ' || n, jsonb_build_object('age', n, 'note', repeat('x', 16300))
    from generate_series(1, ${count}::int) as n`)

/** An answer whose body nobody reads yet. */
async function open({ host }: Contents, userId: number, path = ''): Promise<IncomingMessage> {
  const request = get(`${host.url}/contents/api/case${path}`, { headers: host.as(userId), agent: false })
  const [response]: IncomingMessage[] = await once(request, 'response')
  if (!response) throw new Error('no response')
  return response
}

/** Waits until a number stays what it is. */
async function settled(value: () => number): Promise<number> {
  for (let before = -1; before !== value(); await sleep(250)) before = value()
  return value()
}

t.test('a list of 1,200 cases of 16 KiB is read as fast as it is taken', async (t) => {
  let rows = 0
  const service = await contents(t, { rowsRead: (count) => (rows += count) })
  const { call, db } = service
  await fill(db, 7, 1_200)
  await fill(db, 8, 30)

  const answer = await open(service, 7)
  // What the kernel keeps for a reader that does not read is some 10 MB.
  t.ok((await settled(() => rows)) < 900, `${rows} rows read for nobody`)
  const busy = await db.execute(sql`
    select from pg_stat_activity where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()`)
  t.equal(busy.length, 0, 'no connection waits for the reader')
  t.equal(answer.headers['content-type'], 'application/json; charset=utf-8')
  const all: { id: number }[] = JSON.parse(await text(answer))
  t.equal(all.length, 1_200)
  t.strictSame(
    ids([200, all]),
    Array.from({ length: 1_200 }, (_, n) => 1_200 - n),
  )
  t.strictSame(await call(7, 'GET', '?skip=0&limit=10'), [200, all.slice(0, 10)], 'entries are those of a short list')

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

t.test('a list that nobody takes ends with its connection, and breaks off when the database does', async (t) => {
  let rows = 0
  const service = await contents(t, { rowsRead: (count) => (rows += count) })
  const { call, db } = service
  await fill(db, 7, 1_200)

  const left = await open(service, 7)
  const before = await settled(() => rows)
  left.destroy()
  t.ok((await settled(() => rows)) - before <= 40, 'at most the batches under way were read')

  const broken = await open(service, 7)
  await settled(() => rows)
  await db.execute(sql`alter table cases rename to away`)
  await t.rejects(text(broken), { code: 'ECONNRESET' })
  t.match(await call(7, 'GET', ''), [500, { error_code: 500 }], 'a failure before the first byte is an answer')
  await db.execute(sql`alter table away rename to cases`)
  t.equal(ids(await call(7, 'GET', '')).length, 1_200)
})

t.test('one therapist has a share of the long answers', async (t) => {
  const service = await contents(t)
  const { db, host } = service
  await fill(db, 7, 1_000)
  await fill(db, 8, 1_000)
  for (let n = 0; n < 12; n++) {
    const head = await fetch(`${host.url}/contents/api/case`, { method: 'HEAD', headers: host.as(7) })
    t.equal(head.status, 200, 'one that is not sent gives its part back')
  }
  const held = await Promise.all(Array.from({ length: 8 }, () => open(service, 7)))
  for (const { statusCode } of held) t.equal(statusCode, 200)
  const refused = await open(service, 7)
  t.equal(refused.statusCode, 429)
  t.ok(Number(refused.headers['retry-after']) > 0)
  t.match(JSON.parse(await text(refused)), { error_code: 10 })
  t.equal((await service.call(7, 'GET', '?limit=10'))[0], 200, 'short ones go on')
  t.equal(ids(await service.call(8, 'GET', '')).length, 1_000, 'others notice nothing')
  for (const answer of held) answer.destroy()
  await sleep(50)
  t.equal(ids(await service.call(7, 'GET', '')).length, 1_000)
})

t.test('sessions alike', async (t) => {
  let rows = 0
  const service = await contents(t, { rowsRead: (count) => (rows += count) })
  const { call, db, newCase } = service
  const id = await newCase(7)
  await db.execute(sql`
    insert into sessions (case_id, name) select ${id}, repeat('가', 200) from generate_series(1, 12000) as n`)
  const answer = await open(service, 7, `/${id}/session?keyword=`)
  t.ok((await settled(() => rows)) < 9_000, `${rows} rows read for nobody`)
  const all: { id: number }[] = JSON.parse(await text(answer))
  t.equal(all.length, 12_000)
  t.strictSame(await call(7, 'GET', `/${id}/session?skip=0&limit=10`), [200, all.slice(0, 10)])
  t.strictSame(await call(7, 'GET', `/${id}/session?skip=11000&limit=230`), [200, all.slice(11_000, 11_230)])
  t.match(await call(7, 'GET', `/${id}/session?limit=12001`), [400, { message: 'Invalid range 0 to 12000' }])
})
