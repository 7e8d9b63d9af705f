/** Uploads by tus whose process died before their recording was registered. */
import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { createTusUploads } from '@playtherapy/intake'
import { StoreFailedError } from '@playtherapy/object-store'
import { outbox, tusParts, tusUploads, videos } from '@playtherapy/schema'
import { seedSession, storeBackends, testCause, testDatabase, testStore, until } from '@playtherapy/testing'
import { eq, sql } from 'drizzle-orm'
import t from 'tap'
import { createCompleter } from '../src/reconcile/complete-uploads.ts'

for (const backend of storeBackends) {
  t.test(`a worker completes what no client comes back for, on ${backend}`, async (t) => {
    const { db } = await testDatabase(t)
    const store = await testStore(t, backend)
    const { sessionId, caseId } = await seedSession(db)
    const dies: typeof store = {
      ...store,
      async finishUpload() {
        throw new Error('killed')
      },
    }
    const uploads = createTusUploads({ db, store: dies, phase: 'LOCAL', limit: 1e9, expirySeconds: 3_600 })
    const { signal } = new AbortController()
    const bytes = Buffer.alloc(6_000_000, 'video')
    bytes.write('\0\0\0\x18ftypisom\0\0\x02\0isomiso2', 'latin1')
    async function* body(size: number) {
      yield bytes.subarray(0, size)
    }
    const begin = async (size: number) => {
      const whose = { caseId, sessionId, userId: 7, cause: testCause('a') }
      const asked = { ...whose, fileName: 'a.mp4', length: bytes.length, metadata: undefined }
      const { uploadId } = await uploads.create(asked)
      const appended = uploads.append(
        { sessionId, uploadId },
        { offset: 0, body: body(size), bodyBytes: size, signal, cause: testCause('a') },
      )
      await appended.catch(() => {})
      return uploadId
    }
    const whole = await begin(bytes.length)
    const others = {
      unfinished: await begin(bytes.length - 1),
      held: await begin(bytes.length),
      old: await begin(bytes.length),
    }
    await db
      .update(tusUploads)
      .set({ holder: sql`gen_random_uuid()`, heldUntil: sql`now() + interval '1 minute'` })
      .where(eq(tusUploads.id, others.held))
    await db.update(tusUploads).set({ expiresAt: sql`now()` }).where(eq(tusUploads.id, others.old))
    t.equal(await db.$count(outbox), 0)

    await t.rejects(createCompleter({ db, store: dies })(signal), StoreFailedError)
    const [one, another] = [createCompleter({ db, store }), createCompleter({ db, store })]
    await Promise.all([
      one(signal),
      another(signal),
      uploads.status({ sessionId, uploadId: whole }, signal, testCause('b')).catch(() => {}),
    ])
    t.match(await uploads.status({ sessionId, uploadId: whole }, signal, testCause('b')), { offset: bytes.length })
    t.equal(await db.$count(outbox), 1)
    t.equal(await one(signal), 0)
    const stored = await db.select().from(videos).where(eq(videos.state, 'stored'))
    t.match(stored, [{ size: bytes.length, container: 'mp4' }])
    const made = await buffer(await store.get(`video/${stored[0]?.path}`, { ifMatch: stored[0]?.etag ?? '' }))
    t.equal(made.compare(bytes), 0)
    t.equal(await db.$count(videos, eq(videos.state, 'receiving')), 3, 'the others are as they were')
  })
}

t.test(
  'a few are completed at once, none is begun after a stop, and an upload that has ended is no failure',
  async (t) => {
    const { db } = await testDatabase(t)
    const store = await testStore(t, 'file')
    const { sessionId } = await seedSession(db)
    const stop = new AbortController()
    const begin = async (start: string) => {
      const path = randomUUID()
      const storeId = await store.beginUpload(`video/${path}`)
      const [video] = await db
        .insert(videos)
        .values({ sessionId, path, state: 'receiving', leaseUntil: sql`now() + interval '1 hour'` })
        .returning({ id: videos.id })
      const bytes = Buffer.from(start)
      const [etag, size] = ['', bytes.length]
      const options = { length: size, onPart: () => {}, signal: stop.signal }
      const begun = { id: storeId, partsBytes: 0, nextPart: 1, tail: undefined }
      await store.appendUpload(`video/${path}`, begun, Readable.from([bytes]), options)
      const id = randomUUID()
      const known = { length: size, storeId, partsBytes: size, nextPart: 2, start: bytes.toString('base64') }
      const expiresAt = sql`now() + interval '1 hour'`
      await db.insert(tusUploads).values({ id, videoId: video?.id ?? 0, ...known, expiresAt })
      await db.insert(tusParts).values({ uploadId: id, number: 1, size, etag })
    }
    await begin('text, which is no recording')
    t.equal(await createCompleter({ db, store })(stop.signal), 0, 'a refusal is no failure')
    t.equal(await db.$count(videos), 0)

    for (let n = 0; n < 9; n++) await begin('\0\0\0\x18ftypisom\0\0\x02\0isomiso2')
    let begun = 0
    let end = () => {}
    const mayEnd = new Promise<void>((resolve) => {
      end = resolve
    })
    const slow: typeof store = {
      ...store,
      async finishUpload(...asked) {
        begun++
        await mayEnd
        return store.finishUpload(...asked)
      },
    }
    const round = createCompleter({ db, store: slow })(stop.signal)
    await until(
      'four joins have begun',
      async () => begun,
      (count) => count === 4,
    )
    stop.abort()
    end()
    t.equal(await round, 4)
    t.equal(begun, 4)
    t.equal(await db.$count(videos, eq(videos.state, 'receiving')), 5)
  },
)
