import { audioRenditions, erasures, outbox, renditions, sessions, videos } from '@playtherapy/schema'
import { type StoreBackend, seedSession, storeBackends, testDatabase, testStore } from '@playtherapy/testing'
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
  return { db, store, put, keys, caseId: caseId, sessionId: sessionId }
}

const described = { container: 'mp4', size: 5, etag: '"1"', storedAt: new Date() } as const

for (const backend of storeBackends) {
  t.test(`on ${backend}`, async (t) => {
    t.test('a replaced video is removed once the newer one is encoded, and nothing else is removed', async (t) => {
      const { db, store, put, keys, sessionId } = await prepare(t, backend)
      const add = async (
        state: 'encoded' | 'superseded' | 'failed' | 'stored' | 'presigned' | 'receiving',
        path: string,
      ) => {
        const durable = state === 'presigned' || state === 'receiving' ? {} : described
        const failure = state === 'failed' ? 'because' : null
        const [video] = await db
          .insert(videos)
          .values({ sessionId, state, path, failure, ...durable })
          .returning()
        await put(`video/${path}`)
        return video?.id ?? 0
      }
      const render = async (videoId: number, path: string) => {
        const row = { sessionId, videoId, path, size: 5, etag: '"1"', durationMs: 1, width: 2, height: 2 }
        const [rendition] = await db.insert(renditions).values(row).returning()
        const sound = { videoId, path: path.replace('encoded', 'audio'), size: 5, etag: '"1"' }
        await db.insert(audioRenditions).values(sound)
        for (const { path } of [row, sound]) await put(`video/${path}`)
        return rendition?.id ?? 0
      }
      const job = createDeleteSuperseded({ db, store })
      const old = await add('encoded', 'old.mp4')
      const oldRendition = await render(old, 'encoded_old-1.mp4')
      await add('superseded', 'overtaken.mp4')
      await add('failed', 'failed.mp4')
      await add('receiving', 'receiving.mp4')
      await add('presigned', 'presigned.mp4')
      const playing = await add('encoded', 'playing.mp4')
      await db.update(sessions).set({ videoId: old, encodingStateId: 1 })
      await db.update(sessions).set({ encodingStateId: 2 })
      await db.update(sessions).set({ encodingStateId: 3, renditionId: oldRendition })
      const before = await keys()
      await job({ session_id: sessionId })
      t.strictSame(await keys(), before, 'the newest is not encoded yet: everything stays')

      const rendition = await render(playing, 'encoded_playing-1.mp4')
      await db.update(sessions).set({ videoId: playing, encodingStateId: 1 })
      await db.update(sessions).set({ encodingStateId: 2 })
      await db.update(sessions).set({ encodingStateId: 3, renditionId: rendition })
      const newer = await add('stored', 'newer.mp4')
      await db.update(sessions).set({ videoId: newer, encodingStateId: 1 })
      for (let run = 1; run <= 2; run++) {
        await job({ session_id: sessionId })
        t.strictSame(
          await keys(),
          [
            'audio_playing-1.mp4',
            'encoded_playing-1.mp4',
            'newer.mp4',
            'playing.mp4',
            'presigned.mp4',
            'receiving.mp4',
          ].map((path) => `video/${path}`),
          `run ${run}`,
        )
      }
      t.equal(await db.$count(videos), 4)
    })

    t.test('a deleted session loses every object, its neighbours none', async (t) => {
      const { db, store, put, keys } = await prepare(t, backend)
      const mine = ['video/LOCAL/1/10/1.mp4', 'video/LOCAL/1/10/encoded_1-1.mp4', 'script/LOCAL/1/10/script_v1.json']
      const others = [
        'video/LOCAL/1/100/2.mp4',
        'video/LOCAL/10/10/3.mp4',
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

      const [whole] = await db.insert(erasures).values({ caseId: 1, sessionId: null }).returning()
      await erase({ erasure_id: whole?.id ?? 0 })
      t.strictSame(await keys(), ['video/LOCAL/10/10/3.mp4'], 'a case takes all its sessions along')
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
