/** What operators see of jobs and processes, and the retry of a job that was given up. */

import { setTimeout as sleep } from 'node:timers/promises'
import { outbox, processes, recentEncodes, renditions, sessions, videos } from '@playtherapy/schema'
import { renewed } from '@playtherapy/service-kit'
import { seedSession, until } from '@playtherapy/testing'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { Value } from 'typebox/value'
import { Operations } from '../src/operations/schemas.ts'
import { contents } from './support.ts'

async function place(t: Parameters<typeof contents>[0]) {
  const { db, host, call, store } = await contents(t)
  const operator = host.withClaims({ scope: 'operations' })
  const read = async (query = '', headers = operator) => {
    const response = await fetch(`${host.url}/contents/api/operations${query}`, { headers })
    const body: unknown = await response.json()
    return { status: response.status, body }
  }
  const seen = async (query = '') => Value.Parse(Operations, (await read(query)).body)
  const retry = async (id: number | string, headers = operator): Promise<[number, unknown]> => {
    const url = `${host.url}/contents/api/operations/jobs/${id}/retry`
    const response = await fetch(url, { method: 'POST', headers })
    return [response.status, await response.json()]
  }
  /** Adds jobs with such rows, and returns their ids. */
  const add = async (rows: Partial<typeof outbox.$inferInsert>[]) => {
    const values = rows.map((row) => ({ name: 'erase' as const, payload: { erasure_id: 1 }, ...row }))
    return (await db.insert(outbox).values(values).returning({ id: outbox.id })).map(({ id }) => id)
  }
  return { db, host, call, store, read, seen, retry, add }
}

const now = new Date()
const secondsAgo = (seconds: number) => new Date(Date.now() - seconds * 1000)
const published = { publishedAt: now }
const givenUp = { ...published, failedAt: now, failure: 'no disk', attempts: 10 }
const webhook = { name: 'send-webhook', payload: { user_id: 7, case_id: 1, session_id: 1 } } as const

t.test('an empty installation has nothing to show', async (t) => {
  const { seen } = await place(t)
  const found = await seen()
  t.match(found, { jobs: [], queue: { depth: 0, oldest_seconds: null }, given_up: [], next: null, processes: [] })
  t.strictSame(found.encoded_seconds, Array(60).fill(0))
  t.strictSame(found.bytes, { originals: 0, encoded: 0, scripts: 0, reports: 0, exports: 0 })
  t.ok(
    found.disk && found.disk.free_bytes > 0 && found.disk.free_bytes <= found.disk.total_bytes,
    'a folder has a disk',
  )
})

t.test('jobs are counted by name and state, with the oldest that waits', async (t) => {
  const { seen, add } = await place(t)
  await add([
    { availableAt: secondsAgo(90) },
    { availableAt: secondsAgo(30), ...published },
    { availableAt: secondsAgo(500), ...published, attempts: 2 },
    { availableAt: secondsAgo(-500) },
    givenUp,
    { ...givenUp, isRefused: true },
    { ...webhook },
  ])
  const { jobs, queue } = await seen()
  t.strictSame(jobs, [
    { name: 'erase', later: 1, waiting: 2, begun: 1, failed: 1, refused: 1 },
    { name: 'send-webhook', later: 0, waiting: 1, begun: 0, failed: 0, refused: 0 },
  ])
  t.equal(queue.depth, 3)
  t.ok((queue.oldest_seconds ?? 0) >= 90 && (queue.oldest_seconds ?? 0) < 200)
})

t.test('given-up jobs come in pages: failed, refused, webhooks, each with the newest first', async (t) => {
  const { seen, read, add } = await place(t)
  const failed = await add(Array.from({ length: 60 }, () => givenUp))
  const refused = await add([{ ...givenUp, isRefused: true, failure: '<img src=x onerror=alert(1)>' }])
  const webhooks = await add(Array.from({ length: 40 }, () => ({ ...givenUp, ...webhook })))
  await add([{ ...webhook }])
  const first = await seen()
  t.equal(first.given_up.length, 50)
  t.strictSame(first.given_up[0], {
    ...{ id: failed.at(-1), name: 'erase', ids: { erasure_id: 1 }, attempts: 10, at: now.toISOString() },
    ...{ reason: 'no disk', how: 'failed' },
  })
  const second = await seen(`?after=${first.next}`)
  const third = await seen(`?after=${second.next}`)
  t.equal(third.next, null)
  const ids = [first, second, third].flatMap(({ given_up }) => given_up.map(({ id }) => id))
  t.strictSame(ids, [...failed.reverse(), ...refused, ...webhooks.reverse()])
  t.match(second.given_up[10], { how: 'refused', reason: '<img src=x onerror=alert(1)>' })
  for (const after of ['', '1', '2-0-1', '1-1-', '1-1-1x', `1-1-${'9'.repeat(16)}`, "1-1-1'--"]) {
    t.match(await read(`?after=${encodeURIComponent(after)}`), { status: 422, body: { error_code: 8 } }, after)
  }
  t.match(await seen('?after=0-0-0'), { given_up: [], next: null })
})

t.test('processes are shown with release and scratch disk, and whether they are alive', async (t) => {
  const { db, seen } = await place(t)
  const release = { version: '1.2.3', commit: 'abc' }
  await db.insert(processes).values([
    { id: '00000000-0000-4000-8000-000000000001', kind: 'media', ...release },
    {
      ...{ id: '00000000-0000-4000-8000-000000000002', kind: 'worker', ...release },
      ...{ scratchFreeBytes: 5, scratchBytes: 10, seenAt: secondsAgo(60), startedAt: secondsAgo(600) },
    },
  ])
  const { processes: found } = await seen()
  t.match(found, [
    { kind: 'worker', ...release, alive: false, scratch: { free_bytes: 5, total_bytes: 10 } },
    { kind: 'media', ...release, alive: true, scratch: null },
  ])
})

t.test('all processes are counted, however many there are', async (t) => {
  const { db, host } = await place(t)
  await db.insert(processes).values(
    Array.from({ length: 254 }, (_, n) => ({
      id: `00000000-0000-4000-8000-${`${n}`.padStart(12, '0')}`,
      kind: n < 250 ? 'worker' : 'media',
      ...{ version: '1.2.3', commit: 'abc', seenAt: secondsAgo(n % 2 === 0 ? 1 : 60) },
    })),
  )
  const metrics = await (await fetch(`${host.url}/metrics`)).text()
  t.match(metrics, /^processes_alive\{kind="worker"\} 125$/m)
  t.match(metrics, /^processes_lost\{kind="worker"\} 125$/m)
  t.match(metrics, /^processes_alive\{kind="media"\} 2$/m)
  t.match(metrics, /^processes_lost\{kind="media"\} 2$/m)
  t.match(metrics, /^processes_alive\{kind="script"\} 0$/m)
})

t.test('the pace is that of the last sixty minutes, and bytes are those of all therapists', async (t) => {
  const { db, seen } = await place(t)
  await db.insert(recentEncodes).values([
    { at: secondsAgo(10), seconds: 8 },
    { at: secondsAgo(20), seconds: 30.5 },
    { at: secondsAgo(150), seconds: 16 },
    { at: secondsAgo(59.5 * 60), seconds: 4 },
    { at: secondsAgo(61 * 60), seconds: 99 },
    { at: secondsAgo(-5), seconds: 1 },
  ])
  for (const userId of [7, 8]) {
    const { sessionId } = await seedSession(db, userId)
    const made = { sessionId, path: `${userId}.mp4`, etag: '"1"' }
    const [video] = await db
      .insert(videos)
      .values({ ...made, state: 'stored', size: 100, container: 'mp4', storedAt: now })
      .returning()
    const about = { videoId: video?.id ?? 0, durationMs: 1, width: 2, height: 2 }
    await db.insert(renditions).values({ ...made, ...about, size: 11 })
  }
  const { encoded_seconds: encoded, bytes } = await seen()
  t.equal(encoded.length, 60)
  t.strictSame([encoded[0], encoded[57], encoded[58], encoded[59]], [4, 16, 0, 39.5])
  t.match(bytes, { originals: 200, encoded: 22 })
})

t.test('nothing of a case is in the answer', async (t) => {
  const { db, read, add } = await place(t)
  await seedSession(db, 7)
  await add([givenUp, { ...givenUp, ...webhook }, {}])
  const { body } = await read()
  t.notMatch(JSON.stringify(body), /민수|first|LOCAL/)
})

t.test('the scope opens it, with or without a therapist, and opens nothing else', async (t) => {
  const { host, call, read, retry } = await place(t)
  const alone = host.withClaims({ scope: 'operations' })
  const both = host.withClaims({ scope: ['operations', 'other'], user_id: 7 })
  const wordOfText = host.withClaims({ scope: 'reports:write operations' })
  for (const headers of [alone, both, wordOfText]) t.equal((await read('', headers)).status, 200)
  for (const headers of [host.as(7), host.withClaims({ scope: 'reports:write' })]) {
    t.match(await read('', headers), { status: 401, body: { error_code: 0 } })
    t.match(await retry(1, headers), [401, { error_code: 0 }])
  }
  t.match(await call(both, 'GET', ''), [200, []], 'a therapist with the scope has cases, too')
  t.match(await call(alone, 'GET', ''), [401, { error_code: 0 }])
  t.match(await call(wordOfText, 'GET', ''), [401, { error_code: 0 }])
})

t.test('a job is announced again once, also by two at once, and what its failure left is undone', async (t) => {
  const { db, seen, retry, add } = await place(t)
  const { sessionId } = await seedSession(db, 7)
  const described = { path: 'a.mp4', size: 5, etag: '"1"', container: 'mp4', storedAt: now } as const
  const [video] = await db
    .insert(videos)
    .values({ sessionId, state: 'failed', failure: 'no disk', ...described })
    .returning()
  const videoId = video?.id ?? 0
  await db.update(sessions).set({ videoId, encodingStateId: 1 })
  await db.update(sessions).set({ encodingStateId: 4 })
  const [id = 0, open = 0] = await add([
    { name: 'encode-video', payload: { video_id: videoId }, ...givenUp },
    published,
  ])
  t.match(await seen(), { given_up: [{ id }] })
  const answers = await Promise.all([retry(id), retry(id)])
  t.match(
    answers.sort(([a], [b]) => a - b),
    [
      [200, true],
      [404, { error_code: 404 }],
    ],
  )
  t.match(await seen(), { given_up: [], jobs: [{ name: 'encode-video', waiting: 1 }, { name: 'erase' }] })
  t.match(await db.select().from(videos), [{ state: 'stored', failure: null }])
  t.match(await db.select().from(sessions), [{ encodingStateId: 1 }])
  for (const missing of [id, open, 0, 999_999_999_999_999]) {
    t.match(await retry(missing), [404, { error_code: 404 }], `${missing}`)
  }
  for (const wrong of ['x', '-1', '1.5', '1e3', '9'.repeat(16), '%00', "1'"]) {
    t.match(await retry(wrong), [422, { error_code: 8 }], wrong)
  }
})

t.test('many consoles cost no more than one, on each page', async (t) => {
  const { db, read } = await place(t)
  const statements = async () => {
    const [row] = await db.execute<{ scans: number }>(
      sql`select coalesce(seq_scan, 0)::int as scans from pg_stat_user_tables where relname = 'processes'`,
    )
    return row?.scans ?? 0
  }
  const scansOfPages = async () => {
    const [row] = await db.execute<{ scans: number }>(
      sql`select (seq_scan + idx_scan)::int as scans from pg_stat_user_tables where relname = 'outbox'`,
    )
    return row?.scans ?? 0
  }
  await Promise.all(Array.from({ length: 100 }, () => read()))
  await Promise.all(Array.from({ length: 100 }, () => read('?after=1-1-5')))
  // The server counts when a connection has been idle for a moment.
  await until('the statements are counted', async () => (await statements()) > 0)
  t.ok((await statements()) <= 3, 'read once a second')
  // Each reading of the overview reads this table twice.
  t.ok((await scansOfPages()) <= 12, 'a page, too')
})

t.test('a reading that failed is kept, too, for longer if it took long', async (t) => {
  let [count, isDown, ms] = [0, true, 0]
  const numbers = renewed(async () => {
    const mine = ++count
    await sleep(ms)
    if (isDown) throw new Error(`down ${mine}`)
    return mine
  }, 20)
  const many = () => Promise.allSettled(Array.from({ length: 50 }, () => numbers.get()))
  for (const { status } of [...(await many()), ...(await many())]) t.equal(status, 'rejected')
  t.equal(count, 1)
  numbers.forget()
  isDown = false
  t.equal(await numbers.get(), 2)
  await until(
    'it is old',
    () => numbers.get(),
    (number) => number > 2,
  )
  numbers.forget()
  ;[isDown, ms] = [true, 200]
  const before = count
  const end = performance.now() + 1_500
  while (performance.now() < end) await many()
  t.equal(count, before + 1)
})

t.test('what takes long to load is given out while it is loaded anew', async (t) => {
  let [count, ms] = [0, 0]
  const numbers = renewed(
    async () => {
      const mine = ++count
      await sleep(ms)
      return mine
    },
    20,
    { servesOld: true, times: 9 },
  )
  t.equal(await numbers.get(), 1)
  ms = 500
  await until('it is old', async () => {
    t.equal(await numbers.get(), 1, 'nobody waits')
    return count === 2
  })
  t.strictSame(await Promise.all(Array.from({ length: 50 }, () => numbers.get())), Array(50).fill(1))
  await until(
    'the new one is there',
    () => numbers.get(),
    (number) => number === 2,
  )
  t.equal(count, 2)
})
