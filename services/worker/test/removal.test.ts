import { audioPath, chunkPath, originalPath, previewPath, renditionPath, rungPath } from '@playtherapy/object-store'
import { cases, encodePlans, erasures, outbox, renditions, sessions, videos } from '@playtherapy/schema'
import {
  countEncodeRows,
  type StoreBackend,
  seedEncode,
  seedSession,
  storeBackends,
  testDatabase,
  testStore,
} from '@playtherapy/testing'
import { eq, sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { createDeleteSuperseded } from '../src/encode/delete-superseded.ts'
import { createErase } from '../src/erase/erase.ts'
import { createSweepPresigned } from '../src/erase/sweep-presigned.ts'

async function prepare(t: Test, backend: StoreBackend) {
  const { db } = await testDatabase(t)
  const store = await testStore(t, backend)
  const { caseId, sessionId } = await seedSession(db)
  const put = async (key: string) => {
    const body = (async function* () {
      yield Buffer.from('bytes')
    })()
    await store.put(key, body, { contentType: 'video/mp4' })
  }
  const keys = async () => {
    const found: string[] = []
    for (const prefix of ['video/', 'script/', 'analyze_report/']) {
      for await (const { key } of store.list(prefix)) found.push(key)
    }
    return found.sort()
  }
  return { db, store, put, keys, caseId, sessionId }
}

const described = { container: 'mp4', size: 5, etag: '"1"', storedAt: new Date() } as const

for (const backend of storeBackends) {
  t.test(`on ${backend}`, async (t) => {
    t.test('a replaced video is removed once the newer one is encoded, and nothing else is removed', async (t) => {
      const { db, store, put, keys, caseId, sessionId } = await prepare(t, backend)
      const add = async (
        state: 'encoded' | 'superseded' | 'failed' | 'stored' | 'encoding' | 'presigned' | 'receiving',
      ) => {
        const durable = state === 'presigned' || state === 'receiving' ? {} : described
        const failure = state === 'failed' ? 'because' : null
        const path = `LOCAL/${caseId}/${sessionId}/${(await db.$count(videos)) + 1}.mp4`
        const [video] = await db
          .insert(videos)
          .values({ sessionId, state, path, failure, ...durable })
          .returning()
        await put(`video/${path}`)
        return { id: video?.id ?? 0, path }
      }
      /** All that an encode makes, and an object of an attempt that did not commit. */
      const render = async ({ id, path }: { id: number; path: string }) => {
        const { paths } = await seedEncode(db, { id, path })
        const row = { sessionId, videoId: id, path: renditionPath(path, 1), size: 5, etag: '"1"', durationMs: 1 }
        const [rendition] = await db
          .insert(renditions)
          .values({ ...row, width: 2, height: 2 })
          .returning()
        const made = [row.path, ...Object.values(paths)].map((path) => `video/${path}`)
        const uncommitted = `video/${rungPath(path, 9, 'upper')}`
        for (const key of [...made, uncommitted]) await put(key)
        return { renditionId: rendition?.id ?? 0, keys: [...made, uncommitted] }
      }
      const play = async (videoId: number, renditionId?: number) => {
        await db.update(sessions).set({ videoId, encodingStateId: 1 })
        if (!renditionId) return
        await db.update(sessions).set({ encodingStateId: 2 })
        await db.update(sessions).set({ encodingStateId: 3, renditionId })
      }
      const job = createDeleteSuperseded({ db, store, phase: 'LOCAL' })
      const old = await add('encoded')
      const oldMade = await render(old)
      await add('superseded')
      await add('failed')
      const receiving = await add('receiving')
      const presigned = await add('presigned')
      const playing = await add('encoded')
      await play(old.id, oldMade.renditionId)
      const before = await keys()
      await job({ session_id: sessionId })
      t.strictSame(await keys(), before, 'the newest is not encoded yet: everything stays')

      const made = await render(playing)
      await play(playing.id, made.renditionId)
      const newer = await add('stored')
      await play(newer.id)
      const broken = { ...store, delete: () => Promise.reject(new Error('the store is down')) }
      const failing = createDeleteSuperseded({ db, store: broken, phase: 'LOCAL' })
      await t.rejects(failing({ session_id: sessionId }), { message: 'the store is down' })
      t.notOk(
        (await db.select().from(encodePlans)).some(({ videoId }) => videoId === old.id),
        'links end before objects',
      )
      const kept = [receiving, presigned, playing, newer].map(({ path }) => `video/${path}`)
      for (let run = 1; run <= 2; run++) {
        await job({ session_id: sessionId })
        t.strictSame(await keys(), [...kept, ...made.keys].sort(), `run ${run}`)
      }
      t.equal(await db.$count(videos), 4)
      t.equal(await countEncodeRows(db), 6, 'those of the one that plays')
    })

    t.test('a deleted session loses every object, its neighbours none', async (t) => {
      const { db, store, put, keys } = await prepare(t, backend)
      const original = 'LOCAL/1/10/1.mp4'
      const made = [renditionPath(original, 1), audioPath(original, 7, 1), chunkPath(original, 7, 1, 'upper')]
      const more = [rungPath(original, 1, 'lower'), previewPath(original, 1, 'poster')]
      const mine = [
        ...[original, ...made, ...more, previewPath(original, 1, 'storyboard')].map((path) => `video/${path}`),
        'script/LOCAL/1/10/script_v1.json',
      ]
      const others = [
        'video/LOCAL/1/100/2.mp4',
        'video/LOCAL/10/10/3.mp4',
        'video/LOCAL/1/100/chunk_1-7-1-upper.mp4',
        'analyze_report/LOCAL/1/1/analyze_report_v1.json',
      ]
      for (const key of [...mine, ...others]) await put(key)
      const [tombstone] = await db.insert(erasures).values({ caseId: 1, sessionId: 10 }).returning()
      const erase = createErase({ db, store, phase: 'LOCAL' })
      await erase({ erasure_id: tombstone?.id ?? 0 })
      t.strictSame(await keys(), [...others].sort())
      t.equal(await db.$count(erasures), 1, 'the tombstone stays: an upload may still be on its way')

      await put('video/LOCAL/1/10/late.mp4')
      await db.update(erasures).set({ createdAt: sql`now() - interval '25 hours'` })
      await erase({ erasure_id: tombstone?.id ?? 0 })
      t.strictSame(await keys(), [...others].sort())
      t.equal(await db.$count(erasures), 0)
      await erase({ erasure_id: tombstone?.id ?? 0 })

      await db.delete(cases)
      const [whole] = await db.insert(erasures).values({ caseId: 1, sessionId: null }).returning()
      await erase({ erasure_id: whole?.id ?? 0 })
      t.strictSame(await keys(), ['video/LOCAL/10/10/3.mp4'], 'a case takes all its sessions along')
    })

    t.test('a deleted recording loses every object, another of its session none', async (t) => {
      const { db, store, put, keys } = await prepare(t, backend)
      const keysOf = (original: string) =>
        [
          ...[original, renditionPath(original, 1), audioPath(original, 7, 1), chunkPath(original, 7, 1, 'lower')],
          ...[
            rungPath(original, 1, 'sound'),
            previewPath(original, 1, 'poster'),
            previewPath(original, 1, 'storyboard'),
          ],
        ].map((path) => `video/${path}`)
      const others = [...keysOf('LOCAL/1/10/11.mp4'), ...keysOf(originalPath('LOCAL', 1, 10, 12))].sort()
      for (const key of [...keysOf('LOCAL/1/10/1.mp4'), ...keysOf(originalPath('LOCAL', 1, 10, 1)), ...others]) {
        await put(key)
      }
      const [tombstone] = await db.insert(erasures).values({ caseId: 1, sessionId: 10, videoId: 1 }).returning()
      await createErase({ db, store, phase: 'LOCAL' })({ erasure_id: tombstone?.id ?? 0 })
      t.strictSame(await keys(), others)
    })

    t.test('a presigned upload nobody announced is swept, an announced one is not', async (t) => {
      const { db, store, put, keys, sessionId } = await prepare(t, backend)
      const [forgotten] = await db
        .insert(videos)
        .values({ sessionId, state: 'presigned', path: 'forgotten.mp4' })
        .returning()
      const announced = { sessionId, state: 'stored', path: 'announced.mp4', ...described } as const
      const [kept] = await db.insert(videos).values(announced).returning()
      for (const path of ['forgotten.mp4', 'announced.mp4']) await put(`video/${path}`)
      const sweep = createSweepPresigned({ db, store })
      for (const video of [forgotten, kept, forgotten]) await sweep({ video_id: video?.id ?? 0 })
      t.strictSame(await keys(), ['video/announced.mp4'])
      t.match(await db.select().from(videos).where(eq(videos.sessionId, sessionId)), [
        { id: kept?.id, state: 'stored' },
      ])
      t.equal(await db.$count(videos), 1)
    })

    t.test('an upload that is just being announced is swept later', async (t) => {
      const { db, store, put, keys, sessionId } = await prepare(t, backend)
      const leaseUntil = new Date(Date.now() + 60_000)
      const row = { sessionId, state: 'presigned', path: 'now.mp4', leaseUntil } as const
      const [video] = await db.insert(videos).values(row).returning()
      await put('video/now.mp4')
      await createSweepPresigned({ db, store })({ video_id: video?.id ?? 0 })
      t.match(await db.select().from(videos), [{ state: 'presigned' }])
      t.strictSame(await keys(), ['video/now.mp4'])
      t.match(await db.select().from(outbox), [{ name: 'sweep-presigned', payload: { video_id: video?.id } }])
    })
  })
}
