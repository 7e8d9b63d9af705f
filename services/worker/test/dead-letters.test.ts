import { announce, deadLetters, encodePlans, failedJobs, outbox, retry, sessions, videos } from '@playtherapy/schema'
import { seedSession, testDatabase, until } from '@playtherapy/testing'
import { eq, sql } from 'drizzle-orm'
import t from 'tap'
import { encodeAgain } from '../src/commands/encode-again.ts'
import { createEncodeFailed } from '../src/encode/encode-video.ts'

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

async function place(t: Parameters<typeof testDatabase>[0]) {
  const { db } = await testDatabase(t)
  const { sessionId } = await seedSession(db)
  /** A recording whose encode was given up. */
  const failedVideo = async (path: string) => {
    const described = { container: 'mp4', size: 5, etag: '"1"', storedAt: new Date() } as const
    const [video] = await db
      .insert(videos)
      .values({ sessionId, state: 'stored', path, attempt: 10, ...described })
      .returning()
    const videoId = video?.id ?? 0
    await db.update(sessions).set({ videoId, encodingStateId: 1 })
    await announce(db, 'encode-video', { video_id: videoId }, { requestId: 'request-1', traceparent })
    await createEncodeFailed(db)({ video_id: videoId }, 'disk full')
    await db.update(outbox).set({ failedAt: new Date(), failure: 'disk full', attempts: 10 })
    return videoId
  }
  const state = async () => {
    const [row] = await db.select().from(sessions)
    return {
      encoding: row?.encodingStateId,
      videos: (await db.select().from(videos).orderBy(videos.id)).map(({ state, failure }) => ({ state, failure })),
    }
  }
  return { db, failedVideo, state }
}

t.test('a job given up is shown, and announced again with what its failure left undone', async (t) => {
  const { db, failedVideo, state } = await place(t)
  const videoId = await failedVideo('a.mp4')
  t.match(await state(), { encoding: 4, videos: [{ state: 'failed', failure: 'disk full' }] })
  const letters = await deadLetters(db)
  t.match(letters, [{ name: 'encode-video', payload: { video_id: videoId }, attempts: 10, failure: 'disk full' }])
  const id = letters[0]?.id ?? 0
  t.strictSame(await Promise.all([retry(db, id), retry(db, id)]).then((results) => results.sort()), [false, true])
  t.match(await state(), { encoding: 1, videos: [{ state: 'stored', failure: null }] })
  t.strictSame(await deadLetters(db), [])
  const again = { name: 'encode-video', payload: { video_id: videoId }, requestId: 'request-1', traceparent }
  t.match(await db.select().from(outbox), [{ ...again, attempts: 0, publishedAt: null, failedAt: null }])
})

t.test('a retry locks the session before the job, as all do', async (t) => {
  const { db, failedVideo, state } = await place(t)
  await failedVideo('a.mp4')
  const [letter] = await deadLetters(db)
  const id = letter?.id ?? 0
  let retrying: Promise<boolean> | undefined
  await db.transaction(async (tx) => {
    await tx.select().from(sessions).for('no key update')
    retrying = retry(db, id)
    const waiting = sql`select count(*)::int as waiting from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`
    await until('its wait', async () => (await db.execute<{ waiting: number }>(waiting))[0]?.waiting === 1)
    await tx.update(outbox).set({ failure: 'changed by who holds the session' })
  })
  t.ok(await retrying)
  t.match(await state(), { encoding: 1, videos: [{ state: 'stored' }] })
  t.strictSame(await deadLetters(db), [])
})

t.test('a retry changes nothing for a recording that a newer one replaced, or that was deleted', async (t) => {
  const { db, failedVideo, state } = await place(t)
  await failedVideo('a.mp4')
  const [letter] = await deadLetters(db)
  const described = { container: 'mp4', size: 5, etag: '"1"', storedAt: new Date() } as const
  const [first] = await db.select().from(videos)
  const [newer] = await db
    .insert(videos)
    .values({ sessionId: first?.sessionId ?? 0, state: 'stored', path: 'b.mp4', ...described })
    .returning()
  await db.update(sessions).set({ videoId: newer?.id ?? 0, encodingStateId: 1 })
  t.ok(await retry(db, letter?.id ?? 0))
  // The encode finds it overtaken and leaves it for removal.
  t.match(await state(), { encoding: 1, videos: [{ state: 'stored' }, { state: 'stored' }] })

  await db.update(outbox).set({ failedAt: new Date(), failure: 'x' })
  const [again] = await deadLetters(db)
  await db.delete(videos).where(eq(videos.id, first?.id ?? 0))
  t.ok(await retry(db, again?.id ?? 0))
  t.notOk(await retry(db, 999_999), 'no such job')
})

t.test('a failed encode is shown however many webhooks were given up before it, and all are retried', async (t) => {
  const { db } = await testDatabase(t)
  const dead = { failedAt: new Date(), failure: 'x' }
  const name = 'send-webhook' as const
  const webhook = (n: number) => ({ user_id: 1, case_id: 1, session_id: n })
  await db.insert(outbox).values(Array.from({ length: 1_000 }, (_, n) => ({ ...dead, name, payload: webhook(n + 1) })))
  await db.insert(outbox).values({ ...dead, name: 'encode-video', payload: { video_id: 1 }, isRefused: true })
  await db.insert(outbox).values({ ...dead, name: 'encode-video', payload: { video_id: 2 } })
  const encodes = [{ payload: { video_id: 2 } }, { payload: { video_id: 1 } }, { payload: webhook(1) }]
  t.match((await deadLetters(db)).slice(0, 3), encodes)
  const failed = await failedJobs(db)
  t.equal(failed.length, 1_001)
  t.equal(failed[0], (await deadLetters(db))[0]?.id)
})

t.test('a failed job is shown however many recordings were refused before it', async (t) => {
  const { db } = await testDatabase(t)
  const job = { name: 'encode-video', payload: { video_id: 1 }, failedAt: new Date(), failure: 'x' } as const
  await db.insert(outbox).values(Array.from({ length: 1_000 }, () => ({ ...job, isRefused: true })))
  await db.insert(outbox).values({ ...job, failure: 'disk full' })
  t.match((await deadLetters(db))[0], { isRefused: false, failure: 'disk full' })
})

for (const name of ['encode-chunk', 'finish-video'] as const) {
  t.test(`a video whose ${name} was given up goes back to work`, async (t) => {
    const { db, failedVideo, state } = await place(t)
    const videoId = await failedVideo('a.mp4')
    const ofChunk = { video_id: videoId, chunk_id: 1 }
    const payload = name === 'encode-chunk' ? ofChunk : { video_id: videoId }
    // Two chunks may fail before the others know.
    await db.update(outbox).set({ name, payload })
    await db.insert(outbox).values({ name, payload, failedAt: new Date(), failure: 'disk full' })
    for (const { id } of await deadLetters(db)) t.ok(await retry(db, id))
    t.match(await state(), { encoding: 1, videos: [{ state: 'stored', failure: null }] })
    const jobs = await db.select().from(outbox)
    const again = { name: 'encode-video', payload: { video_id: videoId }, failedAt: null }
    t.match(jobs, [again, again])
  })
}

t.test('what an older release encoded is encoded again, once', async (t) => {
  const { db } = await testDatabase(t)
  const described = { container: 'mp4', size: 5, etag: '"1"', storedAt: new Date() } as const
  const add = async (state: 'encoded' | 'stored' | 'failed') => {
    const { sessionId } = await seedSession(db)
    const [video] = await db
      .insert(videos)
      .values({ sessionId, state, path: `${sessionId}`, failure: state === 'failed' ? 'x' : null, ...described })
      .returning()
    const videoId = video?.id ?? 0
    await db.update(sessions).set({ videoId, encodingStateId: 1 }).where(eq(sessions.id, sessionId))
    return { id: videoId, sessionId }
  }
  const old = [await add('encoded'), await add('encoded'), await add('encoded')]
  for (const state of ['stored', 'failed'] as const) await add(state)
  const planned = await add('encoded')
  await db.insert(encodePlans).values({ videoId: planned.id, plan: {}, seconds: 1, targetSeconds: 1 })
  const busy = [await add('encoded'), await add('encoded')]
  for (const { id } of busy) await announce(db, 'finish-video', { video_id: id })
  await db
    .update(outbox)
    .set({ failedAt: new Date(), failure: 'x' })
    .where(sql`payload ->> 'video_id' = ${`${busy[1]?.id}`}`)
  // A newer recording replaces it.
  const replaced = await add('encoded')
  const [newer] = await db
    .insert(videos)
    .values({ sessionId: replaced.sessionId, state: 'stored', path: 'newer', ...described })
    .returning()
  await db
    .update(sessions)
    .set({ videoId: newer?.id ?? 0 })
    .where(eq(sessions.id, replaced.sessionId))

  const counts: number[] = []
  t.equal(await encodeAgain(db, (count) => counts.push(count)), 3)
  t.strictSame(counts, [3])
  const jobs = await db.select().from(outbox).where(eq(outbox.name, 'encode-video')).orderBy(outbox.id)
  t.strictSame(
    jobs.map(({ payload }) => payload),
    old.map(({ id }) => ({ video_id: id })),
  )
  t.equal(await encodeAgain(db, () => t.fail('nothing is left')), 0)
})
