/** What the audit trail is told of playbacks. */
import { testStore } from '@playtherapy/testing'
import { sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { addRendition, clip, type MediaOptions, testMedia } from './support.ts'
import { tusClient } from './tus-support.ts'

/** A session with a recording of 100,000 bytes, and the events that the trail has got since. */
async function playable(t: Test, options: Omit<MediaOptions, 'store'> = {}) {
  const media = await testMedia(t, { store: await testStore(t, 'file'), ...options })
  const { videoId } = await addRendition(media, clip())
  const [last] = await media.db.execute<{ id: number }>(sql`select max(id)::int as id from audit_events`)
  const events = () =>
    media.db.execute(
      sql`select action, kind, user_id, case_id, session_id, version, result, host(address) as address
        from audit_events where id > ${last?.id} order by id`,
    )
  const play = (headers = {}) => fetch(media.url, { headers: { ...media.auth, ...headers } })
  /** From now on nothing can be written to the trail. */
  const breakTrail = () => media.db.execute(sql`alter table audit_events add check (false) not valid`)
  const mendTrail = () => media.db.execute(sql`alter table audit_events drop constraint audit_events_check`)
  return { ...media, videoId, events, play, breakTrail, mendTrail }
}

t.test('a playback in many ranges is one event for each viewer, and no byte is sent before it', async (t) => {
  const { play, events, caseId, sessionId, videoId, host } = await playable(t)
  const ranges = Array.from({ length: 40 }, (_, i) => play({ range: `bytes=${i * 1000}-${i * 1000 + 999}` }))
  t.ok((await Promise.all(ranges)).every(({ status }) => status === 206))
  const link = host.linkTo({ userId: 7, caseId, sessionId, videoId }, 'mp4', 'video.mp4')
  for (const method of ['GET', 'GET', 'HEAD']) t.equal((await fetch(link, { method })).status, 200)
  const seen = { action: 'read', kind: 'video', user_id: 7, case_id: caseId, session_id: sessionId }
  const event = { ...seen, version: videoId, result: 0, address: '127.0.0.1' }
  t.same(await events(), [event, event], 'one with the token, one by the link')
})

t.test('without the trail nothing is shown', async (t) => {
  const { play, breakTrail, mendTrail, url, auth } = await playable(t)
  await breakTrail()
  const refused = await play()
  t.equal(refused.status, 503)
  t.match(await refused.json(), { error_code: 10 })
  t.equal(refused.headers.get('etag'), null)
  t.equal((await fetch(`${url}/state`, { headers: auth })).status, 503)
  t.equal((await fetch(url, { method: 'HEAD', headers: auth })).status, 503)
  t.equal((await fetch(url)).status, 401, 'what shows nothing is answered')
  await mendTrail()
  t.equal((await play()).status, 200, 'what was not written is written now')
})

t.test('without the trail a gateway is not told where the bytes are', async (t) => {
  const gateway = { prefix: '/objects/', findPlace: async () => '/place' }
  const { play, breakTrail, mendTrail } = await playable(t, { gateway })
  await breakTrail()
  const { status, headers } = await play()
  t.equal(status, 503)
  t.equal(headers.get('x-accel-redirect'), null)
  await mendTrail()
  t.equal((await play()).headers.get('x-accel-redirect'), '/objects/place')
})

t.test('links are told when they are given out, and refusals by what was asked for', async (t) => {
  const { host, url, events, caseId, sessionId, db } = await playable(t)
  const links = await fetch(url.replace(/video$/, 'playback'), { method: 'POST', headers: host.as(7) })
  t.equal(links.status, 200)
  await fetch(url.replace(/video$/, 'playback'), { method: 'POST', headers: host.as(7) })
  t.equal((await fetch(url, { headers: host.as(8) })).status, 400)
  const gone = host.linkTo({ userId: 7, caseId, sessionId, videoId: 999 }, 'mp4', 'video.mp4')
  t.equal((await fetch(gone)).status, 404)
  t.equal((await fetch(gone.replace('/video.mp4', 'x/video.mp4'))).status, 404, 'a forged one names nobody')
  t.match(await events(), [
    { action: 'link', kind: 'video', user_id: 7, case_id: caseId, session_id: sessionId, result: 0 },
    { action: 'link', kind: 'video', user_id: 7, case_id: caseId, session_id: sessionId, result: 0 },
    { action: 'refused', kind: 'video', user_id: 8, case_id: caseId, session_id: sessionId, result: 2 },
    { action: 'refused', kind: 'video', user_id: 7, case_id: caseId, session_id: sessionId, result: 404 },
  ])
  t.equal((await events()).length, 4, 'each set of links is written')
  await db.execute(sql`delete from cases`)
  t.match((await events()).at(-1), { action: 'delete', kind: 'case' }, 'a deletion leaves all events')
  t.equal((await events()).length, 5)
})

t.test('the deletion of an upload is told, also of one that is complete and leaves its recording', async (t) => {
  const media = await playable(t)
  const { events, caseId, sessionId } = media
  const tus = tusClient(media)
  const bytes = clip()
  for (const length of [bytes.length + 1, bytes.length]) {
    const { upload } = await tus.create({ 'upload-length': String(length) })
    t.match(await tus.patch(upload, 0, bytes), { status: 204, offset: bytes.length })
    const before = (await events()).length
    t.match(await tus.remove(upload), { status: 204 })
    const [event, ...others] = (await events()).slice(before)
    t.match(event, { action: 'delete', user_id: 7, case_id: caseId, session_id: sessionId, result: 0 })
    t.same(others, [])
  }
})
