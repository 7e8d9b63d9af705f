import { erasures, outbox, sessions, videos } from '@playtherapy/schema'
import { countEncodeRows, seedEncode, testStore, until } from '@playtherapy/testing'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { addRendition, clip, closing, form, partOf, testMedia } from './support.ts'

const noVideo = (sessionId: number) => [400, { message: `No video found for session ID ${sessionId}`, error_code: 5 }]

t.test('a recording is deleted without its session', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const { db, sessionId, caseId } = media
  const remove = async () => {
    const response = await fetch(media.url, { method: 'DELETE', headers: media.auth })
    return [response.status, await response.json()]
  }
  t.strictSame(await remove(), noVideo(sessionId), 'there is none')
  const issued = await fetch(`${media.url}/presigned-url`, { headers: media.auth })
  t.equal(issued.status, 200)
  t.strictSame(await remove(), noVideo(sessionId), 'a URL is no recording')

  const rendition = await addRendition(media, clip())
  await seedEncode(db, { id: rendition.videoId, path: rendition.path })
  await db.update(sessions).set({ scriptStateId: 1, videoLength: '00:00:01' }).where(eq(sessions.id, sessionId))
  t.equal((await media.upload(form(['file', clip()]))).status, 201)
  t.strictSame(await remove(), [200, true])
  t.match(await db.select().from(sessions), [
    { videoId: null, renditionId: null, encodingStateId: 5, scriptStateId: 5, videoLength: null },
  ])
  t.equal(await countEncodeRows(db), 0)
  t.match(await db.select().from(videos), [{ state: 'presigned' }], 'the URL is for the next recording')
  t.match(await db.select().from(erasures).orderBy(erasures.videoId), [
    { caseId, sessionId, videoId: rendition.videoId },
    { caseId, sessionId },
  ])
  t.equal(await db.$count(outbox, eq(outbox.name, 'erase-video')), 4, 'for each recording now and in a day')
  for (const path of ['', '/state']) {
    const response = await fetch(media.url + path, { headers: media.auth })
    t.strictSame([response.status, await response.json()], noVideo(sessionId))
  }
  t.strictSame(await remove(), noVideo(sessionId), 'again')
  t.equal(await db.$count(erasures), 2)

  t.equal((await media.upload(form(['file', clip()]))).status, 201, 'a new recording')
  t.match(await db.select().from(sessions), [{ encodingStateId: 1 }])
})

t.test('an upload that runs ends when its recording is deleted', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const upload = media.open()
  await upload.write(Buffer.concat([Buffer.from(partOf('file', 'a.mp4')), clip(100_000)]))
  await until('its row', async () => (await media.left()).rows.length === 1)
  const removed = await fetch(media.url, { method: 'DELETE', headers: media.auth })
  t.strictSame([removed.status, await removed.json()], [200, true])
  t.match(await upload.answer, { status: 400, body: { error_code: 1000, message: 'File [a.mp4] Upload failed.' } })
  t.same(await media.left(), { objects: [], rows: [] })

  const late = media.open()
  await late.write(Buffer.concat([Buffer.from(partOf('file', 'b.mp4')), clip(100_000)]))
  await until('its row', async () => (await media.left()).rows.length === 1)
  await media.db.delete(videos)
  late.request.end(closing)
  t.match(await late.answer, { status: 400, body: { error_code: 1000 } }, 'also in its last moment')
  t.same(await media.left(), { objects: [], rows: [] })
})

t.test('an upload whose lease ran out in an outage is not called deleted', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  for (const when of ['in the middle', 'in its last moment']) {
    const upload = media.open()
    await upload.write(Buffer.concat([Buffer.from(partOf('file', 'a.mp4')), clip(100_000)]))
    await until('its row', async () => (await media.db.$count(videos, eq(videos.state, 'receiving'))) === 1)
    await media.db.update(videos).set({ state: 'failed', failure: 'as the reaper does', leaseUntil: new Date() })
    if (when === 'in its last moment') upload.request.end(closing)
    const answer = { status: 400, body: { error_code: 1000, detail: [{ type: 'store_unavailable' }] } }
    t.match(await upload.answer, answer, when)
    t.same((await media.left()).objects, [])
  }
})

t.test('a page of another origin may delete a recording', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const origin = 'http://localhost:3000'
  const preflight = await fetch(media.url, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'DELETE', 'access-control-request-headers': 'authorization' },
  })
  t.equal(preflight.status, 204)
  t.match(preflight.headers.get('access-control-allow-methods'), /DELETE/)
  const refused = await fetch(media.url, { method: 'DELETE', headers: { ...media.auth, origin } })
  t.equal(refused.headers.get('access-control-allow-origin'), origin)
})
