import { announceOriginal, isAwaited } from '@playtherapy/intake'
import { createFileStore, fileRoutes, inFolder, type ObjectStore } from '@playtherapy/object-store'
import { outbox, sessions, videos } from '@playtherapy/schema'
import { storeBackends, testHost, testStore } from '@playtherapy/testing'
import t, { type Test } from 'tap'
import { Value } from 'typebox/value'
import { Presigned } from '../src/upload/schemas.ts'
import { clip, testMedia } from './support.ts'

/** Makes a store with usable presigned URLs: S3 itself, or a folder store behind its routes. */
async function reachable(t: Test, backend: 'file' | 's3'): Promise<ObjectStore> {
  if (backend === 's3') return testStore(t, backend)
  const directory = t.testdir()
  const secret = 'signs the URLs of tests'
  const served = await testHost(t, fileRoutes({ store: createFileStore({ directory, secret, publicUrl: 'http://-' }) }))
  return createFileStore({ directory, secret, publicUrl: served.url })
}

for (const backend of storeBackends) {
  t.test(`${backend}: a presigned upload ends with an announced encode`, async (t) => {
    const store = await reachable(t, backend)
    const media = await testMedia(t, { store })
    const { db, caseId, sessionId } = media
    const issue = async () => {
      const response = await fetch(`${media.url}/presigned-url`, { headers: media.auth })
      t.equal(response.status, 200)
      return Value.Parse(Presigned, await response.json())
    }
    const first = await issue()
    const second = await issue()
    t.match(first, {
      presigned_url: /^http/,
      file_path: new RegExp(`^LOCAL/${caseId}/${sessionId}/\\d+-[0-9a-f]{32}\\.mp4$`),
    })
    t.same(Object.keys(first).sort(), ['file_path', 'presigned_url'])
    t.not(first.file_path, second.file_path, 'each call returns a new key')
    const head = await fetch(`${media.url}/presigned-url`, { method: 'HEAD', headers: media.auth })
    t.equal(head.status, 405, 'a HEAD returns none')
    t.equal((await db.select().from(outbox)).length, 2)
    t.match(await db.select().from(outbox), [{ name: 'sweep-presigned' }, { name: 'sweep-presigned' }])
    const state = await fetch(`${media.url}/state`, { headers: media.auth })
    t.match(await state.json(), { error_code: 5 }, 'a URL is no recording yet')

    const bytes = clip(300_000)
    const announce = (path: string) => announceOriginal({ db, store }, { sessionId, path, limit: 1_000_000 })
    await t.rejects(announce(second.file_path), { name: 'StoreFailedError' }, 'nothing was uploaded')
    for (const { presigned_url } of [first, second]) {
      const headers = { 'content-type': 'video/mp4' }
      const put = await fetch(presigned_url, { method: 'PUT', headers, body: bytes })
      t.equal(put.status, 200)
    }
    const announced = await Promise.all([second, second, second].map(({ file_path }) => announce(file_path)))
    t.same(announced.sort(), [false, false, true], 'one of three concurrent calls announces it')
    const [older, newer] = await db.select().from(videos).orderBy(videos.id)
    t.match(newer, { path: second.file_path, state: 'stored', size: bytes.length, container: 'mp4' })
    t.equal(newer?.etag, (await store.head(inFolder('video', second.file_path)))?.etag)
    t.match(await db.select().from(sessions), [{ videoId: newer?.id, encodingStateId: 1 }])

    t.equal(await announce(first.file_path), true, 'an older upload can be announced later')
    t.match((await db.select().from(videos).orderBy(videos.id))[0], { id: older?.id, state: 'superseded' })
    t.match(await db.select().from(sessions), [{ videoId: newer?.id }])
    const jobs = await db.select({ name: outbox.name }).from(outbox).orderBy(outbox.id)
    t.same(
      jobs.map(({ name }) => name),
      ['sweep-presigned', 'sweep-presigned', 'encode-video', 'delete-superseded'],
    )
  })
}

t.test('the URL of a recording that was deleted takes no other', async (t) => {
  const directory = t.testdir()
  const secret = 'signs the URLs of tests'
  const folder = createFileStore({ directory, secret, publicUrl: 'http://-' })
  const media = await testMedia(t, { store: folder })
  const { db, sessionId } = media
  const served = await testHost(t, fileRoutes({ store: folder, isAwaited: (key) => isAwaited(db, key) }))
  const issued = await fetch(`${media.url}/presigned-url`, { headers: media.auth })
  const { presigned_url, file_path } = Value.Parse(Presigned, await issued.json())
  const { pathname, search } = new URL(presigned_url)
  const put = async () => {
    const headers = { 'content-type': 'video/mp4' }
    const { status } = await fetch(served.url + pathname + search, { method: 'PUT', headers, body: clip() })
    return status
  }
  t.equal(await put(), 200)
  t.equal(await put(), 200, 'it may be repeated until it is announced')
  t.equal(await announceOriginal({ db, store: folder }, { sessionId, path: file_path, limit: 1_000_000 }), true)
  t.equal(await put(), 403)
  t.equal((await fetch(media.url, { method: 'DELETE', headers: media.auth })).status, 200)
  t.equal(await put(), 403)
  await folder.delete([`video/${file_path}`])
  t.equal(await put(), 403, 'nor when it has been erased')
})

t.test('an announcement whose session is deleted meanwhile leaves no object', async (t) => {
  const store = await reachable(t, 'file')
  const media = await testMedia(t, { store })
  const { db, sessionId } = media
  const issued = await fetch(`${media.url}/presigned-url`, { headers: media.auth })
  const { presigned_url, file_path } = Value.Parse(Presigned, await issued.json())
  const put = await fetch(presigned_url, { method: 'PUT', headers: { 'content-type': 'video/mp4' }, body: clip() })
  t.equal(put.status, 200)
  const deleting: ObjectStore = {
    ...store,
    async adoptUpload(key, etag) {
      const adopted = await store.adoptUpload(key, etag)
      await db.delete(sessions)
      return adopted
    },
  }
  t.equal(await announceOriginal({ db, store: deleting }, { sessionId, path: file_path, limit: 1_000_000 }), false)
  t.same(await media.left(), { objects: [], rows: [] })
})

t.test('a session may have a hundred unused URLs', async (t) => {
  const media = await testMedia(t, { store: await reachable(t, 'file') })
  const values = Array.from({ length: 100 }, (_, index) => ({
    sessionId: media.sessionId,
    state: 'presigned' as const,
    path: `LOCAL/${index}`,
  }))
  await media.db.insert(videos).values(values)
  const refused = await fetch(`${media.url}/presigned-url`, { headers: media.auth })
  t.match([refused.status, await refused.json()], [503, { error_code: 10 }])
  t.equal(refused.headers.get('retry-after'), '3600')
  const other = media.pathOf(await media.addSession(7))
  t.equal((await fetch(`${media.host.url}${other}/presigned-url`, { headers: media.auth })).status, 200)
})
