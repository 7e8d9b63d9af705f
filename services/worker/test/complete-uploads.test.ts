/** Uploads by tus whose process died before their recording was registered. */
import { buffer } from 'node:stream/consumers'
import { createTusUploads } from '@playtherapy/intake'
import { StoreFailedError } from '@playtherapy/object-store'
import { outbox, tusUploads, videos } from '@playtherapy/schema'
import { seedSession, storeBackends, testDatabase, testStore } from '@playtherapy/testing'
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
      const asked = { caseId, sessionId, userId: 7, fileName: 'a.mp4', length: bytes.length, metadata: undefined }
      const { uploadId } = await uploads.create(asked)
      const appended = uploads.append(
        { sessionId, uploadId },
        { offset: 0, body: body(size), bodyBytes: size, signal, requestId: 'a' },
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

    await t.rejects(createCompleter({ db, store: dies })(), StoreFailedError)
    const [one, another] = [createCompleter({ db, store }), createCompleter({ db, store })]
    await Promise.all([one(), another(), uploads.status({ sessionId, uploadId: whole }, signal, 'b').catch(() => {})])
    t.match(await uploads.status({ sessionId, uploadId: whole }, signal, 'b'), { offset: bytes.length })
    t.equal(await db.$count(outbox), 1)
    t.equal(await one(), 0)
    const stored = await db.select().from(videos).where(eq(videos.state, 'stored'))
    t.match(stored, [{ size: bytes.length, container: 'mp4' }])
    const made = await buffer(await store.get(`video/${stored[0]?.path}`, { ifMatch: stored[0]?.etag ?? '' }))
    t.equal(made.compare(bytes), 0)
    t.equal(await db.$count(videos, eq(videos.state, 'receiving')), 3, 'the others are as they were')
  })
}
