import { randomUUID } from 'node:crypto'
import { type Database, outbox, scriptVersions, sessions, tusUploads, videos } from '@playtherapy/schema'
import { seedSession, storeBackends, testDatabase, testStore } from '@playtherapy/testing'
import { eq, type SQL, sql } from 'drizzle-orm'
import t from 'tap'
import { forgetUploads } from '../src/reconcile/forget-uploads.ts'
import { reap } from '../src/reconcile/reap.ts'

async function* one(bytes: Buffer) {
  yield bytes
}

/** Adds a recording that is durable, and of which no job is in the outbox; returns its id. */
async function addUnannounced(db: Database, sessionId: number): Promise<number> {
  const described = { container: 'mp4', size: 5, etag: '"1"', storedAt: new Date() } as const
  const [video] = await db
    .insert(videos)
    .values({ sessionId, state: 'stored', path: 'unannounced.mp4', ...described })
    .returning()
  if (!video) throw new Error('the insert returned no row')
  await db.update(sessions).set({ videoId: video.id, encodingStateId: 1 })
  return video.id
}

for (const backend of storeBackends) {
  t.test(`what dead processes left, on ${backend}`, async (t) => {
    const { db } = await testDatabase(t)
    const store = await testStore(t, backend)
    const { sessionId } = await seedSession(db)
    const put = async (key: string) => {
      const body = (async function* () {
        yield Buffer.from('bytes')
      })()
      return store.put(key, body, { contentType: 'video/mp4' })
    }
    const keys = async () => {
      const found: string[] = []
      for (const prefix of ['video/', 'script/']) for await (const { key } of store.list(prefix)) found.push(key)
      return found.sort()
    }
    const past = sql`now() - interval '2 hours'`
    const future = sql`now() + interval '1 minute'`
    await db.insert(videos).values([
      { sessionId, state: 'receiving', path: 'dead.mp4', leaseUntil: past },
      { sessionId, state: 'receiving', path: 'alive.mp4', leaseUntil: future },
      { sessionId, state: 'failed', failure: 'because', path: 'forgotten.mp4', leaseUntil: past },
      { sessionId, state: 'failed', failure: 'because', path: 'remembered.mp4', leaseUntil: sql`now()` },
    ])
    await db.insert(scriptVersions).values([
      { sessionId, version: 1, path: 'dead.json', size: 5, userId: 1, createdAt: past },
      { sessionId, version: 2, path: 'young.json', size: 5, userId: 1 },
    ])
    for (const key of ['video/dead.mp4', 'video/alive.mp4', 'script/dead.json', 'script/young.json']) await put(key)
    const unannounced = await addUnannounced(db, sessionId)

    t.strictSame(await reap({ db, store }), { uploads: 1, failures: 1, scripts: 1, reports: 0, encodes: 1 })
    t.strictSame(await keys(), ['script/young.json', 'video/alive.mp4'])
    const rows = await db.select({ path: videos.path, state: videos.state }).from(videos).orderBy(videos.path)
    t.strictSame(rows, [
      { path: 'alive.mp4', state: 'receiving' },
      { path: 'dead.mp4', state: 'failed' },
      { path: 'remembered.mp4', state: 'failed' },
      { path: 'unannounced.mp4', state: 'stored' },
    ])
    t.match(await db.select().from(outbox), [{ name: 'encode-video', payload: { video_id: unannounced } }])
    t.strictSame(
      await reap({ db, store }),
      { uploads: 0, failures: 0, scripts: 0, reports: 0, encodes: 0 },
      'and that was all',
    )
  })
}

t.test('an encode is announced again only where none of its jobs is left', async (t) => {
  const { db } = await testDatabase(t)
  const store = await testStore(t, 'file')
  const described = { container: 'mp4', size: 5, etag: '"1"', storedAt: new Date() } as const
  const add = async (state: 'stored' | 'encoding' | 'encoded') => {
    const { sessionId } = await seedSession(db)
    const [video] = await db
      .insert(videos)
      .values({ sessionId, state, path: `${sessionId}.mp4`, ...described })
      .returning()
    const videoId = video?.id ?? 0
    await db.update(sessions).set({ videoId, encodingStateId: 1 }).where(eq(sessions.id, sessionId))
    return videoId
  }
  const jobs = ['encode-video', 'encode-chunk', 'finish-video'] as const
  const forgotten = [await add('stored'), await add('encoding')]
  await add('encoded')
  for (const name of jobs) {
    const [alive, dead] = [await add('encoding'), await add('encoding')]
    const ofChunk = name === 'encode-chunk' ? { chunk_id: 1 } : {}
    const job = (video_id: number) => ({ name, payload: { video_id, ...ofChunk } })
    await db.insert(outbox).values([job(alive), { ...job(dead), failedAt: new Date(), failure: 'x' }])
    forgotten.push(dead)
  }
  const before = await db.$count(outbox)
  t.match(await reap({ db, store }), { encodes: forgotten.length })
  const announced = await db.select().from(outbox).orderBy(outbox.id).offset(before)
  t.strictSame(
    announced.map(({ name, payload }) => [name, 'video_id' in payload && payload.video_id]),
    forgotten.map((id) => ['encode-video', id]),
  )
  t.match(await reap({ db, store }), { encodes: 0 })
})

for (const backend of storeBackends) {
  t.test(`uploads by tus that expired or were overtaken, on ${backend}`, async (t) => {
    const { db } = await testDatabase(t)
    const store = await testStore(t, backend)
    const { sessionId } = await seedSession(db)
    const past = sql`now() - interval '1 second'`
    const future = sql`now() + interval '1 minute'`
    const { signal } = new AbortController()
    const begin = async (path: string, expiresAt: SQL, heldUntil: SQL | null = null) => {
      const [video] = await db
        .insert(videos)
        .values({ sessionId, state: 'receiving', path, leaseUntil: expiresAt })
        .returning()
      if (!video) throw new Error('no video')
      const id = await store.beginUpload(`video/${path}`)
      const begun = { id, partsBytes: 0, nextPart: 1, tail: undefined }
      const onPart = () => {}
      await store.appendUpload(`video/${path}`, begun, one(Buffer.alloc(6_000_000)), {
        length: undefined,
        onPart,
        signal,
      })
      const holder = heldUntil && sql`gen_random_uuid()`
      await db
        .insert(tusUploads)
        .values({ id: sql`gen_random_uuid()`, videoId: video.id, expiresAt, holder, heldUntil })
      return video
    }
    await begin('expired.mp4', past)
    await begin('overtaken.mp4', future)
    await begin('overtaken-held-by-the-dead.mp4', future, past)
    await begin('overtaken-and-held.mp4', future, future)
    const newer = await begin('newer.mp4', past)
    await begin('newest.mp4', future)
    const described = { container: 'mp4', size: 5, etag: '"1"', storedAt: new Date(), leaseUntil: null } as const
    await db
      .update(videos)
      .set({ state: 'stored', ...described })
      .where(eq(videos.id, newer.id))
    await db.update(sessions).set({ videoId: newer.id, encodingStateId: 1 })

    t.match(await reap({ db, store }), { uploads: 3, failures: 0 })
    const rows = await db.select({ path: videos.path, failure: videos.failure }).from(videos).orderBy(videos.id)
    t.strictSame(rows, [
      { path: 'expired.mp4', failure: 'The upload was broken off. Please upload it again.' },
      { path: 'overtaken.mp4', failure: 'A newer recording was uploaded.' },
      { path: 'overtaken-held-by-the-dead.mp4', failure: 'A newer recording was uploaded.' },
      { path: 'overtaken-and-held.mp4', failure: null },
      { path: 'newer.mp4', failure: null },
      { path: 'newest.mp4', failure: null },
    ])
    const left = new Set<string>()
    for await (const { key } of store.unfinished('')) left.add(key)
    t.strictSame([...left].sort(), ['video/newer.mp4', 'video/newest.mp4', 'video/overtaken-and-held.mp4'])
    t.equal(await forgetUploads({ db, store }), 1, 'the complete one')
    left.clear()
    for await (const { key } of store.unfinished('')) left.add(key)
    t.strictSame([...left].sort(), ['video/newest.mp4', 'video/overtaken-and-held.mp4'], 'and what was left of it')
    t.equal(await db.$count(tusUploads), 5)
    t.equal(await db.$count(videos), 6)
  })
}

t.test('an object that the store cannot remove keeps nothing else from being reaped', async (t) => {
  const { db } = await testDatabase(t)
  const store = await testStore(t, 'file')
  const { sessionId } = await seedSession(db)
  const past = sql`now() - interval '2 hours'`
  const keys = ['a', 'b', 'c'].map((name) => `video/${name}.mp4`)
  for (const key of [...keys, 'script/a.json', 'script/b.json']) {
    await store.put(key, Buffer.from('bytes'), { contentType: 'video/mp4' })
  }
  const paths = keys.map((key) => key.slice('video/'.length))
  await db
    .insert(videos)
    .values(paths.map((path) => ({ sessionId, state: 'receiving' as const, path, leaseUntil: past })))
  await db.insert(scriptVersions).values(
    ['a.json', 'b.json'].map((path, n) => ({
      ...{ sessionId, version: n + 1, path, size: 5, userId: 1, createdAt: past },
    })),
  )
  await addUnannounced(db, sessionId)
  const refusing = ['video/a.mp4', 'script/a.json']
  const abortUploads = async (key: string) => {
    if (refusing.includes(key)) throw new Error(`refused ${key}`)
    return store.abortUploads(key)
  }
  await t.rejects(reap({ db, store: { ...store, abortUploads } }), { message: 'refused video/a.mp4' })
  const left: string[] = []
  for await (const { key } of store.list('')) left.push(key)
  t.strictSame(left, [], 'what has no other upload is removed')
  t.equal(await db.$count(scriptVersions), 0)
  t.equal(await db.$count(outbox), 1, 'the encode is announced')
})

t.test('an upload that the store cannot remove keeps no other one', async (t) => {
  const { db } = await testDatabase(t)
  const store = await testStore(t, 'file')
  const { sessionId } = await seedSession(db)
  const past = sql`now() - interval '1 day'`
  for (const path of ['a.mp4', 'b.mp4', 'c.mp4']) {
    const described = { container: 'mp4', size: 5, etag: '"1"', storedAt: new Date() } as const
    const [video] = await db
      .insert(videos)
      .values({ sessionId, state: 'stored', path, ...described })
      .returning()
    await db.insert(tusUploads).values({ id: randomUUID(), videoId: video?.id ?? 0, length: 5, expiresAt: past })
  }
  const abortUploads = async (key: string) => {
    if (key === 'video/b.mp4') throw new Error('refused')
    return store.abortUploads(key)
  }
  await t.rejects(forgetUploads({ db, store: { ...store, abortUploads } }), { message: 'refused' })
  t.equal(await db.$count(tusUploads), 1)
  t.equal(await forgetUploads({ db, store }), 1, 'it is tried again')
})
