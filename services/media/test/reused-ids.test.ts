import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { announceOriginal } from '@playtherapy/intake'
import { createFileStore, type ObjectStore } from '@playtherapy/object-store'
import { openDatabase, outbox, sessions, videos } from '@playtherapy/schema'
import { flakyLink, seedSession, storeBackends, testDatabase, testStore } from '@playtherapy/testing'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { clip, form, testMedia } from './support.ts'

async function* whole(bytes: Uint8Array) {
  yield bytes
}

for (const backend of storeBackends) {
  t.test(`${backend}: a restored database gives out used ids again, with new keys`, async (t) => {
    const { auth, db, left, store, upload, url } = await testMedia(t, { store: await testStore(t, backend) })
    const bring = async () => {
      t.equal((await upload(form(['file', clip()]))).status, 201)
      t.equal((await fetch(`${url}/presigned-url`, { headers: auth })).status, 200)
    }
    await bring()
    const before = await db.select({ id: videos.id, path: videos.path }).from(videos).orderBy(videos.id)
    const [older] = (await left()).objects
    const found = await store.head(older ?? '')

    // This restores the state before the uploads; triggers would forbid it, so the test disables them.
    await db.transaction(async (tx) => {
      await tx.execute(sql`set local session_replication_role = replica`)
      await tx.update(sessions).set({ videoId: null })
      await tx.delete(videos)
      await tx.execute(sql`select setval('videos_id_seq', 1, false)`)
    })
    await bring()
    const after = await db.select({ id: videos.id, path: videos.path }).from(videos).orderBy(videos.id)
    t.strictSame(
      after.map(({ id }) => id),
      before.map(({ id }) => id),
      'the same ids',
    )
    t.equal(new Set([...before, ...after].map(({ path }) => path)).size, 4, 'all keys differ')
    t.strictSame(await store.head(older ?? ''), found, 'the older object is unchanged')
    t.equal((await left()).objects.length, 2)
  })
}

t.test('an announcement survives a restart of the database', async (t) => {
  const { db, urls } = await testDatabase(t)
  const directory = await mkdtemp(join(tmpdir(), 'playtherapy-announced-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const store = createFileStore({ directory, publicUrl: 'http://localhost:8080', secret: 'a secret' })
  const link = await flakyLink(t, urls.contents)
  const database = openDatabase({ url: link.url, max: 1, applicationName: 'test' })
  t.teardown(() => database.close())
  const { caseId, sessionId } = await seedSession(db, 7)
  const announced = async (breakLink: () => void) => {
    const path = `LOCAL/${caseId}/${sessionId}/${await db.$count(videos)}.mp4`
    await db.insert(videos).values({ sessionId, state: 'presigned', path })
    await store.putUpload(`video/${path}`, whole(clip()), { contentType: 'video/mp4' })
    const breaking: ObjectStore = {
      ...store,
      async adoptUpload(...call) {
        breakLink()
        return store.adoptUpload(...call)
      },
    }
    return announceOriginal({ db: database.db, store: breaking }, { sessionId, path, limit: 1_000_000 })
  }
  const restart = () => {
    link.cut()
    setTimeout(link.mend, 1_000)
  }
  t.equal(await announced(restart), true)
  t.equal(await announced(() => link.loseAnswerAfter('encode-video')), true, 'and a lost response')
  t.strictSame(
    (await db.select().from(outbox)).map(({ name }) => name),
    ['encode-video', 'encode-video'],
    'each once',
  )
  t.match(await db.select().from(sessions), [{ encodingStateId: 1 }])
})
