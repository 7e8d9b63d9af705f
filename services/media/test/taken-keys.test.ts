import { announceOriginal } from '@playtherapy/intake'
import type { ObjectStore } from '@playtherapy/object-store'
import { openDatabase, outbox, sessions, videos } from '@playtherapy/schema'
import { flakyLink, storeBackends, testDatabase, testStore } from '@playtherapy/testing'
import t from 'tap'
import { addSession, clip, form, testMedia } from './support.ts'

const older = Buffer.from('written after the backup')

async function* whole(bytes: Uint8Array) {
  yield bytes
}

for (const backend of storeBackends) {
  t.test(`${backend}: a restored database gives out ids whose objects are there already`, async (t) => {
    const { auth, caseId, db, sessionId, store, upload, url } = await testMedia(t, {
      store: await testStore(t, backend),
    })
    const keyOf = (id: number) => `video/LOCAL/${caseId}/${sessionId}/${id}.mp4`
    const taken = [1, 2, 4, 5].map(keyOf)
    for (const key of taken) await store.put(key, whole(older), { contentType: 'video/mp4' })
    t.equal((await upload(form(['file', clip()]))).status, 201)
    const response = await fetch(`${url}/presigned-url`, { headers: auth })
    t.equal(response.status, 200)
    const rows = await db.select({ id: videos.id }).from(videos).orderBy(videos.id)
    t.strictSame(rows, [{ id: 3 }, { id: 6 }], 'their ids are passed over')
    for (const key of taken) t.equal((await store.head(key))?.size, older.length, 'and they stay as they are')
  })
}

t.test('a key that is taken meanwhile is not deleted', async (t) => {
  const store = await testStore(t, 'file')
  const late: ObjectStore = { ...store, head: async () => undefined }
  const { caseId, db, sessionId, upload } = await testMedia(t, { store: late })
  const key = `video/LOCAL/${caseId}/${sessionId}/1.mp4`
  await store.put(key, whole(older), { contentType: 'video/mp4' })
  t.equal((await upload(form(['file', clip()]))).status, 400)
  t.equal((await store.head(key))?.size, older.length)
  t.equal(await db.$count(videos), 0)
  t.equal((await upload(form(['file', clip()]))).status, 201, 'the next has a key of its own')
})

t.test('an announced recording outlives a restart of the database', async (t) => {
  const { db, url } = await testDatabase(t)
  const store = await testStore(t, 'file')
  const link = await flakyLink(t, url)
  const database = openDatabase({ url: link.url, max: 1, applicationName: 'test' })
  t.teardown(() => database.close())
  const { caseId, sessionId } = await addSession(db, 7)
  const announced = async (spoil: () => void) => {
    const path = `LOCAL/${caseId}/${sessionId}/${await db.$count(videos)}.mp4`
    await db.insert(videos).values({ sessionId, state: 'presigned', path })
    await store.put(`video/${path}`, whole(clip()), { contentType: 'video/mp4' })
    const spoiling: ObjectStore = {
      ...store,
      async get(...call) {
        spoil()
        return store.get(...call)
      },
    }
    return announceOriginal({ db: database.db, store: spoiling }, { sessionId, path, limit: 1_000_000 })
  }
  const restart = () => {
    link.cut()
    setTimeout(link.mend, 1_000)
  }
  t.equal(await announced(restart), true)
  t.equal(await announced(() => link.loseAnswerAfter('encode-video')), true, 'and a lost answer')
  t.strictSame(
    (await db.select().from(outbox)).map(({ name }) => name),
    ['encode-video', 'encode-video'],
    'each once',
  )
  t.match(await db.select().from(sessions), [{ encodingStateId: 1 }])
})
